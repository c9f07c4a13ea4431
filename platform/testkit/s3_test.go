package testkit

import (
	"net/http"
	"strings"
	"testing"
)

// It refuses whoever has no signature, which a double of S3 that believes everybody wouldn't.
func TestS3RefusesStrangers(t *testing.T) {
	t.Parallel()
	server := S3(t)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, server.Endpoint+"/"+server.Bucket+"/a", strings.NewReader("a"))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusForbidden {
		t.Errorf("a stranger is answered %s", answer.Status)
	}
}

func TestAnS3EndsWithItsTest(t *testing.T) {
	t.Parallel()
	var endpoint string
	t.Run("a test", func(t *testing.T) {
		server := S3(t)
		endpoint = server.Endpoint
		server.Kill()
		if listening(strings.TrimPrefix(endpoint, "http://")) {
			t.Error("it runs after it was killed")
		}
		if err := server.Restart(t.Context()); err != nil {
			t.Error(err)
		}
	})
	if endpoint != "" && listening(strings.TrimPrefix(endpoint, "http://")) {
		t.Errorf("the one at %s still runs", endpoint)
	}
}
