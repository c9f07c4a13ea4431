package testkit_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/omnistack/omnistack/platform/testkit"
)

func TestABrowserClicks(t *testing.T) {
	pages := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		text := `<form method="post" action="/done"><button id="go">Go</button></form>`
		if r.Method == http.MethodPost {
			text = `<h1>Done</h1>`
		}
		_, _ = w.Write([]byte(text))
	}))
	t.Cleanup(pages.Close)
	browser := testkit.NewBrowser(t)
	browser.Open(pages.URL)
	browser.Click("#go")
	browser.AwaitURL(pages.URL + "/done")
	browser.AwaitText("h1", "Done")
	if picture := browser.Screenshot(); !bytes.HasPrefix(picture, []byte("\x89PNG")) {
		t.Errorf("the screenshot is no PNG but %d bytes", len(picture))
	}
}
