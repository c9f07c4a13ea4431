package testkit

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestStripeMockRefusesWhatStripeDoesNotKnow(t *testing.T) {
	t.Parallel()
	url := StripeMock(t)
	for form, want := range map[string]int{"metadata[user_id]=u1": 200, "nonsense=1": 400} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/v1/customers", strings.NewReader(form))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		request.SetBasicAuth("sk_test_1", "")
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil || answer.StatusCode != want {
			t.Errorf("%s: %d %s, %v", form, answer.StatusCode, body, err)
		}
	}
}

func TestAStripeMockEndsWithItsTest(t *testing.T) {
	t.Parallel()
	var first, second string
	t.Run("a test", func(t *testing.T) { first, second = StripeMock(t), StripeMock(t) })
	if first == "" {
		return // a quick run
	}
	if first == second {
		t.Errorf("two of them are at %s", first)
	}
	for _, url := range []string{first, second} {
		if listening(strings.TrimPrefix(url, "http://")) {
			t.Errorf("the one at %s still runs", url)
		}
	}
}
