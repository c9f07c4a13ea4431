package httpserver

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/testkit"
)

// replying adds a stream at /api/v1/app/reply.
func replying(route Route, reply func() Reply) func(*Router) {
	route.Method, route.Path, route.Guard = http.MethodPost, "/app/reply", User
	return func(r *Router) {
		Stream(r, route, numbers, func(context.Context, *struct{}) (Reply, error) { return reply(), nil })
	}
}

const replyPath = "/api/v1/app/reply"

func TestAnAnswerInOnePiece(t *testing.T) {
	var feed Feed
	f := start(t, replying(Route{Whole: true}, func() Reply {
		return Reply{Whole: true, Header: map[string]string{"X-Why": "asked"}, Feed: func(ctx context.Context, send Send) (any, error) { return feed(ctx, send) }}
	}), func(o *Options) {
		o.HTTP.DocsEnabled = true
		o.HTTP.RequestTimeout = 50 * time.Millisecond
	})
	feed = func(ctx context.Context, _ Send) (any, error) {
		if Principal(ctx).UserID != "u1" {
			t.Error("the feed doesn't know whose request it is")
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(200 * time.Millisecond): // longer than REQUEST_TIMEOUT
		}
		return number{7}, nil
	}
	answer := f.user.Do(t, "POST", replyPath).Want(200)
	if answer.WantJSON("value", 7); answer.Header.Get("Content-Type") != "application/json" || answer.Header.Get("X-Why") != "asked" {
		t.Errorf("the header is %v", answer.Header)
	}
	feed = func(context.Context, Send) (any, error) { return nil, errs.New(errs.PaymentRequired, "Pay first") }
	f.user.Do(t, "POST", replyPath).WantError(402, "PAYMENT_REQUIRED")
	feed = func(context.Context, Send) (any, error) { panic("secret") }
	f.user.Do(t, "POST", replyPath).WantError(500, "INTERNAL_ERROR")
	feed = func(_ context.Context, send Send) (any, error) { return nil, send("number", number{1}) }
	f.user.Do(t, "POST", replyPath).WantError(500, "INTERNAL_ERROR")

	document := f.anyone.Do(t, "GET", "/openapi.json").Want(200)
	content := document.JSON("paths").(map[string]any)[replyPath].(map[string]any)["post"].(map[string]any)["responses"].(map[string]any)["200"].(map[string]any)["content"].(map[string]any)
	if content["application/json"] == nil || content["text/event-stream"] == nil {
		t.Errorf("the document has %v", content)
	}
}

// TestWhoeverIsGoneNeedsNoAnswer proves that a feed learns that nobody waits for its answer.
func TestWhoeverIsGoneNeedsNoAnswer(t *testing.T) {
	began, ended := make(chan struct{}), make(chan struct{})
	f := start(t, replying(Route{Whole: true}, func() Reply {
		return Reply{Whole: true, Feed: func(ctx context.Context, _ Send) (any, error) {
			close(began)
			<-ctx.Done()
			close(ended)
			return nil, ctx.Err()
		}}
	}))
	ctx, leave := context.WithCancel(t.Context())
	go func() {
		<-began
		leave()
	}()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, f.url+replyPath, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer user")
	if answer, err := http.DefaultClient.Do(request); err == nil {
		_ = answer.Body.Close()
		t.Fatal("it was answered")
	}
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Fatal("the feed goes on")
	}
}

func TestTheDialectOfOpenAI(t *testing.T) {
	var feed Feed
	f := start(t, replying(Route{Dialect: OpenAI}, func() Reply {
		return Reply{Feed: func(ctx context.Context, send Send) (any, error) { return feed(ctx, send) }}
	}))
	feed = func(_ context.Context, send Send) (any, error) {
		if err := send("number", number{1}); err != nil {
			return nil, err
		}
		return nil, send("number", number{2})
	}
	const want = "data: {\"value\":1}\n\ndata: {\"value\":2}\n\ndata: [DONE]\n\n"
	if got := f.user.Do(t, "POST", replyPath).Want(200).Body; string(got) != want {
		t.Errorf("the events are %q", got)
	}
	feed = func(_ context.Context, send Send) (any, error) {
		if err := send("number", number{1}); err != nil {
			return nil, err
		}
		return nil, errs.New(errs.External, "It broke")
	}
	got := f.user.Do(t, "POST", replyPath).Want(200).Body
	if !bytes.HasPrefix(got, []byte("data: {\"value\":1}\n\ndata: {\"error\":{")) || bytes.Contains(got, []byte("[DONE]")) {
		t.Errorf("an error within is %q", got)
	}
	for kind, want := range map[errs.Kind]string{
		errs.Malformed: "invalid_request_error", errs.Unauthenticated: "authentication_error", errs.Forbidden: "permission_error",
		errs.PaymentRequired: "insufficient_quota", errs.RateLimited: "rate_limit_error", errs.External: "server_error",
	} {
		feed = func(context.Context, Send) (any, error) {
			return nil, errs.New(kind, "It failed").With(detailParam, "model")
		}
		answer := f.user.Do(t, "POST", replyPath).WantError(statuses[kind], kind.Code())
		answer.WantJSON("error.type", want).WantJSON("error.param", "model")
	}
	feed = func(context.Context, Send) (any, error) { return nil, errs.New(errs.NotFound, "It isn't there") }
	if body := string(f.user.Do(t, "POST", replyPath).Want(404).Body); !strings.Contains(body, `"param":null`) {
		t.Errorf("an error without a parameter is %s", body)
	}
	f.anyone.Do(t, "POST", replyPath).WantError(401, "UNAUTHENTICATED").WantJSON("error.type", "authentication_error")
	if body := f.anyone.Do(t, "GET", "/api/v1/app/things/one", testkit.Header("X-A", "b")).Want(401).Body; bytes.Contains(body, []byte(`"type"`)) {
		t.Errorf("elsewhere an error has a type: %s", body)
	}
}
