package testkit

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"os/exec"
	"regexp"
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

// URL returns where the browser is.
func (b *Browser) URL() (url string) {
	b.t.Helper()
	b.call(http.MethodGet, "/url", nil, &url)
	return url
}

// Click clicks on what the CSS selector finds first, and returns when the page that this leads to is there. Nothing ends the
// test.
func (b *Browser) Click(selector string) {
	b.t.Helper()
	b.call(http.MethodPost, b.element(selector)+"/click", map[string]any{}, nil)
}

// Text returns what people read in what the CSS selector finds first.
func (b *Browser) Text(selector string) (text string) {
	b.t.Helper()
	b.call(http.MethodGet, b.element(selector)+"/text", nil, &text)
	return text
}

func (b *Browser) element(selector string) string {
	b.t.Helper()
	var found map[string]string
	b.call(http.MethodPost, "/element", map[string]any{"using": "css selector", "value": selector}, &found)
	return "/element/" + found[elementKey]
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
	var sent []byte
	if body != nil {
		var err error
		if sent, err = json.Marshal(body); err != nil {
			b.t.Fatal(err)
		}
	}
	request, err := http.NewRequest(method, b.session+path, bytes.NewReader(sent)) // without the context of the test: the last one is after it
	if err != nil {
		b.t.Fatal(err)
	}
	client := http.Client{Timeout: time.Minute}
	answer, err := client.Do(request)
	if err != nil {
		b.t.Fatal(err)
	}
	defer answer.Body.Close()
	var said struct {
		Value json.RawMessage `json:"value"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&said); err != nil || answer.StatusCode != http.StatusOK {
		b.t.Fatalf("the browser, %s %s: %s %s %v", method, path, answer.Status, said.Value, err)
	}
	if result != nil {
		if err := json.Unmarshal(said.Value, result); err != nil {
			b.t.Fatal(err)
		}
	}
}
