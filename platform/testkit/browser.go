package testkit

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Browser is a headless Chromium that a test clicks through pages with, by WebDriver (https://www.w3.org/TR/webdriver2/).
type Browser struct {
	t       testing.TB
	session string // the address of it
}

// driverAt finds the port in what ChromeDriver says at its start.
var driverAt = regexp.MustCompile(`started successfully on port (\d+)`)

// elementKey is under what WebDriver names an element.
const elementKey = "element-6066-11e4-a52e-4f735466cecf"

// NewBrowser starts a browser that ends with the test. Without ChromeDriver on the PATH the test is skipped, and fails on CI.
func NewBrowser(t testing.TB) *Browser {
	t.Helper()
	program, err := exec.LookPath("chromedriver")
	if err != nil {
		SkipOrFail(t, "there is no ChromeDriver on the PATH: apt-get install chromium-driver")
	}
	driver := exec.Command(program, "--port=0")
	driver.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that the browser ends with it
	output, err := driver.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := driver.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-driver.Process.Pid, syscall.SIGKILL)
		_ = driver.Wait() // it was killed
	})
	port := ""
	for lines := bufio.NewScanner(output); port == "" && lines.Scan(); {
		if found := driverAt.FindStringSubmatch(lines.Text()); found != nil {
			port = found[1]
		}
	}
	if port == "" {
		t.Fatal("ChromeDriver ended at its start")
	}
	go func() { _, _ = io.Copy(io.Discard, output) }() // or it blocks

	b := &Browser{t: t, session: "http://127.0.0.1:" + port + "/session"}
	var made struct {
		SessionID string `json:"sessionId"`
	}
	b.call(http.MethodPost, "", map[string]any{"capabilities": map[string]any{"alwaysMatch": map[string]any{
		"goog:chromeOptions": map[string]any{"args": []string{
			"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
			"--disable-component-update", "--disable-sync", "--window-size=900,900", "--user-data-dir=" + t.TempDir(),
		}},
	}}}, &made)
	b.session += "/" + made.SessionID
	t.Cleanup(func() { b.call(http.MethodDelete, "", nil, nil) }) // before its folder goes
	return b
}

// Open goes to an address, and returns when the page is there.
func (b *Browser) Open(url string) {
	b.t.Helper()
	b.call(http.MethodPost, "/url", map[string]any{"url": url}, nil)
}

// AwaitURL returns when the browser is at an address that begins so.
func (b *Browser) AwaitURL(prefix string) {
	b.t.Helper()
	b.await("the address "+prefix, func() (url string, found bool, err error) {
		err = b.try(http.MethodGet, "/url", nil, &url)
		return url, strings.HasPrefix(url, prefix), err
	})
}

// AwaitText returns when people read a text, among others, in what the CSS selector finds first.
func (b *Browser) AwaitText(selector, text string) {
	b.t.Helper()
	b.await(selector+" with the text "+text, func() (read string, found bool, err error) {
		element, err := b.element(selector)
		if err == nil {
			err = b.try(http.MethodGet, element+"/text", nil, &read)
		}
		return read, strings.Contains(read, text), err
	})
}

// Click clicks on what the CSS selector finds first. The page that this leads to may be there later: see the methods that await it.
// Nothing ends the test.
func (b *Browser) Click(selector string) {
	b.t.Helper()
	b.await("a click on "+selector, func() (string, bool, error) {
		element, err := b.element(selector)
		if err == nil {
			err = b.try(http.MethodPost, element+"/click", map[string]any{}, nil)
		}
		return "", err == nil, err
	})
}

func (b *Browser) element(selector string) (string, error) {
	var found map[string]string
	err := b.try(http.MethodPost, "/element", map[string]any{"using": "css selector", "value": selector}, &found)
	return "/element/" + found[elementKey], err
}

// await tries until it has found, as between two pages there is none for a moment. It ends the test with what it saw last.
func (b *Browser) await(what string, try func() (seen string, found bool, err error)) {
	b.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); ; <-tick.C {
		seen, found, err := try()
		if found {
			return
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("waited in vain for %s: %q, %v", what, seen, err)
		}
	}
}

// Screenshot returns the page as a PNG.
func (b *Browser) Screenshot() []byte {
	b.t.Helper()
	var text string
	b.call(http.MethodGet, "/screenshot", nil, &text)
	picture, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		b.t.Fatal(err)
	}
	return picture
}

// call calls the driver, and ends the test when it fails.
func (b *Browser) call(method, path string, body, result any) {
	b.t.Helper()
	if err := b.try(method, path, body, result); err != nil {
		b.t.Fatal(err)
	}
}

// try calls the driver.
func (b *Browser) try(method, path string, body, result any) error {
	var sent []byte
	if body != nil {
		var err error
		if sent, err = json.Marshal(body); err != nil {
			return err
		}
	}
	request, err := http.NewRequest(method, b.session+path, bytes.NewReader(sent)) // without the context of the test: the last one is after it
	if err != nil {
		return err
	}
	client := http.Client{Timeout: time.Minute}
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	var said struct {
		Value json.RawMessage `json:"value"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&said); err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the browser, %s %s: %s %s", method, path, answer.Status, said.Value)
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal(said.Value, result)
}
