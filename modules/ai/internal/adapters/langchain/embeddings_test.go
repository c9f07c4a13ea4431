package langchain_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/omnistack/omnistack/modules/ai/internal/adapters/langchain"
	"github.com/omnistack/omnistack/modules/ai/internal/domain"
)

// embed asks a provider that says this for the vectors of two texts, and returns what it was asked.
func embed(t *testing.T, open func(langchain.Options) (*langchain.Provider, error), embed domain.Embed, status int, says string) (asked string, result domain.Result, err error) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked = r.Method + " " + r.URL.Path + " " + string(body)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, says)
	}))
	defer server.Close()
	provider, err := open(langchain.Options{Provider: "one", Key: "k", BaseURL: server.URL + "/v1", Bounds: langchain.Patience()})
	if err != nil {
		t.Fatal(err)
	}
	result, err = provider.Generate(t.Context(), &domain.Call{Model: domain.Model{ID: "m"}, Embed: embed}, nil)
	return asked, result, err
}

func TestVectorsComeAsTheyAre(t *testing.T) {
	const says = `{"object":"list","model":"m-1","data":[{"object":"embedding","index":1,"embedding":[0.25, 1e-7]},` +
		`{"object":"embedding","index":0,"embedding":"AACAPw=="}],"usage":{"prompt_tokens":5,"total_tokens":5}}`
	asked, result, err := embed(t, langchain.OpenAI, domain.Embed{Inputs: []string{"a", "b"}, Dimensions: 2, Base64: true}, 200, says)
	if err != nil || asked != `POST /v1/embeddings {"model":"m","input":["a","b"],"dimensions":2,"encoding_format":"base64"}` {
		t.Errorf("it is asked %s, %v", asked, err)
	}
	if len(result.Vectors) != 2 || string(result.Vectors[0]) != `"AACAPw=="` || string(result.Vectors[1]) != `[0.25, 1e-7]` || result.Model != "m-1" ||
		result.Usage != (domain.Usage{Input: 5, Source: domain.Provided}) {
		t.Errorf("the result is %+v", result)
	}
	asked, _, err = embed(t, langchain.OpenAI, domain.Embed{Inputs: []string{"a"}}, 200, `{"data":[{"embedding":[1]}]}`)
	if err != nil || !strings.HasSuffix(asked, `{"model":"m","input":["a"],"encoding_format":"float"}`) {
		t.Errorf("it is asked %s, %v", asked, err)
	}
}

func TestWhatAreNoVectors(t *testing.T) {
	two := domain.Embed{Inputs: []string{"a", "b"}}
	for name, test := range map[string]struct {
		status int
		says   string
		want   domain.Reason
	}{
		"no JSON":         {200, `<html>`, domain.Broken},
		"no list":         {200, `{}`, domain.Broken},
		"one twice":       {200, `{"data":[{"index":0,"embedding":[1]},{"index":0,"embedding":[1]}]}`, domain.Broken},
		"one too many":    {200, `{"data":[{"index":1,"embedding":[1]}]}`, domain.Broken},
		"one too few":     {200, `{"data":[{"index":0,"embedding":[1]}]}`, domain.Broken},
		"one without any": {200, `{"data":[{"index":0},{"index":1,"embedding":[1]}]}`, domain.Broken},
		"an error":        {200, `{"error":{"message":"` + canary + `","type":"server_error"}}`, domain.Broken},
		"a refusal":       {429, `{"error":{"message":"` + canary + `","type":"tokens","code":"rate_limit_exceeded"}}`, domain.RateLimited},
	} {
		_, result, err := embed(t, langchain.OpenAI, two, test.status, test.says)
		failure, failed := errors.AsType[*domain.Failure](err)
		if !failed || failure.Reason != test.want || len(result.Vectors) > 0 || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if asked, _, err := embed(t, langchain.Anthropic, two, 200, `{}`); asked != "" || err == nil {
		t.Errorf("somebody without vectors is asked %s, %v", asked, err)
	}
}
