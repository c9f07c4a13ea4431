package langchain_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/omnistack/omnistack/modules/ai/internal/adapters/langchain"
	"github.com/omnistack/omnistack/modules/ai/internal/domain"
)

// canary stands in everything that a provider says besides names, and may stand in nothing that comes out.
const canary = "CANARY-4242"

// tongue is a dialect, and how a provider says things in it.
type tongue struct {
	name                string
	provider            func(langchain.Options) (*langchain.Provider, error)
	model               domain.Model
	whole               string   // an answer in one piece: "Hello world"
	pieces              []string // the same as a stream, event by event; the content begins with the third
	cut                 int      // how many pieces there are when half of it was said
	broken              string   // an event that says that it went wrong
	refused             string   // a refusal, with its name in place of %s
	unfinished          []string // pieces without a reason why they end
	usage               domain.Usage
	overloaded, tooLong string // its names
}

func tongues() []tongue {
	return []tongue{
		{
			name: "chat", provider: langchain.OpenAI, model: domain.Model{ID: "gpt"},
			whole: `{"id":"id-1","model":"gpt-1","choices":[{"index":0,"message":{"role":"assistant","content":"Hello world","refusal":null},` +
				`"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":4}}}`,
			pieces: []string{
				`{"id":"id-1","model":"gpt-1","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}`,
				`{"id":"id-1","model":"gpt-1","choices":[],"usage":null}`,
				`{"id":"id-1","choices":[{"index":0,"delta":{"content":"Hello"},"finish_reason":null}]}`,
				`{"id":"id-1","choices":[{"index":0,"delta":{"content":" world"},"finish_reason":null}]}`,
				`{"id":"id-1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`,
				`{"id":"id-1","choices":[{"index":0,"delta":{},"finish_reason":null}]}`,
				`{"id":"id-1","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":4}}}`,
				`[DONE]`,
			},
			cut:        3,
			broken:     `{"error":{"message":"` + canary + `","type":"server_error","code":null}}`,
			refused:    `{"error":{"message":"` + canary + `","type":"invalid_request_error","code":"%s"}}`,
			unfinished: []string{`{"id":"id-1","choices":[{"index":0,"delta":{"content":"Hello"}}]}`, `[DONE]`},
			usage:      domain.Usage{Input: 5, CachedRead: 4, Output: 2, Source: domain.Provided},
			overloaded: "server_overloaded", tooLong: "context_length_exceeded",
		},
		{
			name: "messages", provider: langchain.Anthropic, model: domain.Model{ID: "claude", MaxOutput: 100},
			whole: `{"type":"message","id":"id-1","model":"gpt-1","role":"assistant","content":[{"type":"text","text":"Hello world"}],` +
				`"stop_reason":"end_turn","usage":{"input_tokens":5,"cache_read_input_tokens":4,"output_tokens":2}}`,
			pieces: []string{
				`{"type":"message_start","message":{"id":"id-1","model":"gpt-1","content":[],"stop_reason":null,` +
					`"usage":{"input_tokens":5,"cache_read_input_tokens":4,"output_tokens":1}}}`,
				`{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`,
				`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello"}}`,
				`{"type":"ping"}`,
				`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" world"}}`,
				`{"type":"content_block_stop","index":0}`,
				`{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":2}}`,
				`{"type":"message_stop"}`,
			},
			cut:        4,
			broken:     `{"type":"error","error":{"type":"api_error","message":"` + canary + `"}}`,
			refused:    `{"type":"error","error":{"type":"%s","message":"` + canary + `"},"request_id":"r"}`,
			unfinished: []string{`{"type":"message_start","message":{"id":"id-1"}}`, `{"type":"message_stop"}`},
			usage:      domain.Usage{Input: 5, CachedRead: 4, Output: 2, Source: domain.Provided},
			overloaded: "overloaded_error", tooLong: "request_too_large",
		},
		{
			name: "responses", provider: langchain.Perplexity, model: domain.Model{ID: "sonar"},
			whole: `{"id":"id-1","model":"perplexity/gpt-1","status":"completed","error":null,"output":[{"type":"search_results",` +
				`"results":[{"url":"https://a.test"}]},{"type":"message","content":[{"type":"output_text","text":"Hello world",` +
				`"annotations":[{"url":"https://a.test"},{"url":"https://b.test"}]}]}],"usage":{"input_tokens":9,"output_tokens":2,` +
				`"input_tokens_details":{"cached_tokens":4},"cost":{"total_cost":0.0051,"currency":"USD"}}}`,
			pieces: []string{
				`{"type":"response.created","response":{"id":"id-1","status":"in_progress"}}`,
				`{"type":"response.reasoning.search_results","delta":{"any":"thing"}}`,
				`{"type":"response.output_text.delta","delta":"Hello"}`,
				`{"type":"response.output_text.delta","delta":" world"}`,
				`{"type":"response.completed","response":{"id":"id-1","model":"perplexity/gpt-1","status":"completed","output":[` +
					`{"type":"search_results","results":[{"url":"https://a.test"},{"url":"https://b.test"}]}],"usage":{"input_tokens":9,` +
					`"output_tokens":2,"input_tokens_details":{"cached_tokens":4},"cost":{"total_cost":0.0051}}}}`,
			},
			cut:        3,
			broken:     `{"type":"response.failed","response":{"status":"failed","error":{"code":"server_error","message":"` + canary + `"}}}`,
			refused:    `{"error":{"message":"` + canary + `","type":"invalid_request","code":"%s"}}`,
			unfinished: []string{`{"type":"response.output_text.delta","delta":"Hello"}`, `[DONE]`},
			usage:      domain.Usage{Input: 5, CachedRead: 4, Output: 2, Source: domain.Provided, Cost: 5_100_000_000},
			overloaded: "engine_overloaded", tooLong: "context_length_exceeded",
		},
	}
}

// stream returns events as they are sent.
func stream(pieces ...string) string { return "data: " + strings.Join(pieces, "\n\ndata: ") + "\n\n" }

// listener keeps what it is told.
type listener struct {
	text, thought strings.Builder
	tools         []domain.ToolDelta
	heard         func() // nil, or called with each piece
	err           error
}

func (l *listener) said() error {
	if l.heard != nil {
		l.heard()
	}
	return l.err
}
func (l *listener) Text(piece string) error      { l.text.WriteString(piece); return l.said() }
func (l *listener) Reasoning(piece string) error { l.thought.WriteString(piece); return l.said() }
func (l *listener) Tool(piece domain.ToolDelta) error {
	l.tools = append(l.tools, piece)
	return l.said()
}

func serve(t testing.TB, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server
}

// says serves one answer.
func says(status int, mediaType, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", mediaType)
		w.Header().Set("X-Request-Id", "req-7")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}
}

const (
	asEvents = "text/event-stream; charset=utf-8"
	asJSON   = "application/json"
)

// soon is as short as a test can wait, long as it needn't.
var (
	long = langchain.Bounds{First: time.Minute, Idle: time.Minute, Stream: time.Minute, Whole: time.Minute}
	soon = langchain.Bounds{First: 100 * time.Millisecond, Idle: 100 * time.Millisecond, Stream: time.Minute, Whole: 100 * time.Millisecond}
)

func (d tongue) at(t testing.TB, url string, bounds langchain.Bounds) *langchain.Provider {
	t.Helper()
	return d.open(t, langchain.Options{Provider: "them", Key: "key-" + canary, BaseURL: url, Bounds: bounds})
}

// through returns the provider behind a transport.
func (d tongue) through(t testing.TB, transport http.RoundTripper) *langchain.Provider {
	t.Helper()
	return d.open(t, langchain.Options{Provider: "them", Key: "k", Bounds: long, Transport: transport})
}

func (d tongue) open(t testing.TB, options langchain.Options) *langchain.Provider {
	t.Helper()
	provider, err := d.provider(options)
	if err != nil {
		t.Fatal(err)
	}
	return provider
}

func (d tongue) asked() *domain.Call {
	return &domain.Call{Model: d.model, Messages: []domain.Message{{Role: domain.User, Parts: []domain.Part{{Text: canary}}}}}
}

// wantFailure checks that a call failed for the reason, and that nothing of what was said came out.
func wantFailure(t *testing.T, err error, reason domain.Reason) domain.Failure {
	t.Helper()
	failure, ok := errors.AsType[*domain.Failure](err)
	if !ok {
		t.Fatalf("got %v, want a failure", err)
	}
	if failure.Reason != reason || failure.Provider != "them" {
		t.Errorf("it failed with %v, want %s", failure, reason)
	}
	if strings.Contains(fmt.Sprintf("%v %+v", failure, *failure), canary) {
		t.Errorf("the failure repeats what was said: %+v", *failure)
	}
	return *failure
}

func TestAnswers(t *testing.T) {
	for _, d := range tongues() {
		t.Run(d.name, func(t *testing.T) {
			server := serve(t, says(200, asJSON, d.whole))
			got, err := d.at(t, server.URL, long).Generate(t.Context(), d.asked(), nil)
			if err != nil || got.Text != "Hello world" || got.ID != "id-1" || got.Model != "gpt-1" || got.Finish != domain.FinishStop || got.Usage != d.usage {
				t.Errorf("%+v, %v", got, err)
			}
			if d.name == "responses" && strings.Join(got.Citations, " ") != "https://a.test https://b.test" {
				t.Errorf("it cites %q", got.Citations)
			}
		})
	}
}

// TestGoodStreams proves that a stream is read whatever is between its events, and however it is cut.
func TestGoodStreams(t *testing.T) {
	for _, d := range tongues() {
		text := stream(d.pieces...)
		for name, sent := range map[string]http.HandlerFunc{
			"at once":     says(200, asEvents, text),
			"CRLF":        says(200, asEvents, strings.ReplaceAll(text, "\n", "\r\n")),
			"comments":    says(200, asEvents, ": hi\n\n"+strings.ReplaceAll(text, "\n\n", "\n\n: ping\n\n")),
			"named":       says(200, asEvents, strings.ReplaceAll(text, "data: ", "event: some\nid: 1\ndata: ")),
			"more behind": says(200, asEvents, text+"data: {\"broken\n\n"),
			"byte by byte": func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", asEvents)
				for i := range len(text) {
					_, _ = w.Write([]byte{text[i]})
					w.(http.Flusher).Flush()
				}
			},
		} {
			t.Run(d.name+"/"+name, func(t *testing.T) {
				l := &listener{}
				got, err := d.at(t, serve(t, sent).URL, long).Generate(t.Context(), d.asked(), l)
				if err != nil || l.text.String() != "Hello world" || got.Text != "" || got.ID != "id-1" || got.Model != "gpt-1" ||
					got.Finish != domain.FinishStop || got.Usage != d.usage {
					t.Errorf("%q, %+v, %v", l.text.String(), got, err)
				}
			})
		}
	}
}

// TestALongPieceIsRead proves that a line of a megabyte is no end of a stream.
func TestALongPieceIsRead(t *testing.T) {
	for _, d := range tongues() {
		piece := strings.Repeat("x", 1<<20)
		text := strings.Replace(stream(d.pieces...), "Hello", piece, 1)
		l := &listener{}
		if _, err := d.at(t, serve(t, says(200, asEvents, text)).URL, long).Generate(t.Context(), d.asked(), l); err != nil || l.text.Len() != len(piece)+6 {
			t.Errorf("%s: %d bytes, %v", d.name, l.text.Len(), err)
		}
	}
}

// TestBrokenStreamsAreNoAnswers proves that nothing that ends without its end looks as if it had ended well.
func TestBrokenStreamsAreNoAnswers(t *testing.T) {
	for _, d := range tongues() {
		half := d.pieces[:d.cut]
		for name, test := range map[string]struct {
			sent   http.HandlerFunc
			reason domain.Reason
		}{
			"an error in the middle": {says(200, asEvents, stream(append(slices.Clip(half), d.broken, d.pieces[len(d.pieces)-1])...)), domain.Broken},
			"no end":                 {says(200, asEvents, stream(half...)), domain.Broken},
			"nothing":                {says(200, asEvents, ""), domain.Broken},
			"cut within an event":    {says(200, asEvents, stream(half...)+"data: {"), domain.Broken},
			"garbage":                {says(200, asEvents, stream(half...)+"data: "+canary+"\n\n"+stream(d.pieces...)), domain.Broken},
			"an end, no reason":      {says(200, asEvents, stream(d.unfinished...)), domain.Broken},
			"a page":                 {says(200, "text/html", "<p>"+canary), domain.Broken},
			"JSON":                   {says(200, asJSON, d.whole), domain.Broken},
			"no type":                {says(200, "", stream(d.pieces...)), domain.Broken},
			"nothing at all":         {says(204, asEvents, ""), domain.Broken},
			"a redirect": {func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
			}, domain.Broken},
			"too much": {says(200, asEvents, "data: "+strings.Repeat("x", 9<<20)), domain.Broken},
			"a torn connection": {func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", asEvents)
				_, _ = io.WriteString(w, stream(half...))
				w.(http.Flusher).Flush()
				connection, _, err := w.(http.Hijacker).Hijack()
				if err != nil {
					return
				}
				_ = connection.(*net.TCPConn).SetLinger(0)
				_ = connection.Close()
			}, domain.Broken},
		} {
			t.Run(d.name+"/"+name, func(t *testing.T) {
				_, err := d.at(t, serve(t, test.sent).URL, long).Generate(t.Context(), d.asked(), &listener{})
				wantFailure(t, err, test.reason)
			})
		}
	}
}

func TestBrokenAnswersAreNone(t *testing.T) {
	for _, d := range tongues() {
		for name, sent := range map[string]http.HandlerFunc{
			"a page":    says(200, "text/html", "<p>"+canary),
			"no JSON":   says(200, asJSON, canary),
			"half":      says(200, asJSON, d.whole[:len(d.whole)/2]),
			"nothing":   says(200, asJSON, ""),
			"an object": says(200, asJSON, "{}"),
			"an error":  says(200, asJSON, fmt.Sprintf(d.refused, "server_error")),
			"too much":  says(200, asJSON, `{"x":"`+strings.Repeat("x", 17<<20)+`"}`),
			"cut off": func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", asJSON)
				w.Header().Set("Content-Length", "100000")
				_, _ = io.WriteString(w, d.whole)
			},
		} {
			t.Run(d.name+"/"+name, func(t *testing.T) {
				_, err := d.at(t, serve(t, sent).URL, long).Generate(t.Context(), d.asked(), nil)
				wantFailure(t, err, domain.Broken)
			})
		}
	}
}

func TestRefusals(t *testing.T) {
	soon := time.Now().Add(90 * time.Second).UTC().Format(http.TimeFormat)
	for _, d := range tongues() {
		for name, test := range map[string]struct {
			status   int
			code     string
			header   [2]string
			reason   domain.Reason
			min, max time.Duration // of RetryAfter
		}{
			"429, in seconds":  {429, "rate_limit_error", [2]string{"Retry-After", "7"}, domain.RateLimited, 7 * time.Second, 7 * time.Second},
			"429, in parts":    {429, "rate_limit_error", [2]string{"Retry-After", "0.5"}, domain.RateLimited, time.Second / 2, time.Second / 2},
			"429, by date":     {429, "rate_limit_error", [2]string{"Retry-After", soon}, domain.RateLimited, 80 * time.Second, 90 * time.Second},
			"429, in ms":       {429, "rate_limit_error", [2]string{"Retry-After-Ms", "250"}, domain.RateLimited, time.Second / 4, time.Second / 4},
			"429, oddly":       {429, "rate_limit_error", [2]string{"Retry-After", "soon"}, domain.RateLimited, 0, 0},
			"429, in the past": {429, "rate_limit_error", [2]string{"Retry-After", "-3"}, domain.RateLimited, 0, 0},
			"429, for ever":    {429, "rate_limit_error", [2]string{"Retry-After", "1e300"}, domain.RateLimited, 24 * time.Hour, 24 * time.Hour},
			"429, unpaid":      {429, "insufficient_quota", [2]string{}, domain.KeyRefused, 0, 0},
			"401":              {401, "authentication_error", [2]string{}, domain.KeyRefused, 0, 0},
			"403":              {403, "permission_error", [2]string{}, domain.KeyRefused, 0, 0},
			"404":              {404, "model_not_found", [2]string{}, domain.NoModel, 0, 0},
			"400":              {400, "invalid_value", [2]string{}, domain.Refused, 0, 0},
			"too long":         {400, d.tooLong, [2]string{}, domain.TooLong, 0, 0},
			"413":              {413, "x", [2]string{}, domain.TooLong, 0, 0},
			"422":              {422, "x", [2]string{}, domain.Refused, 0, 0},
			"408":              {408, "x", [2]string{}, domain.Late, 0, 0},
			"500":              {500, "server_error", [2]string{}, domain.Broken, 0, 0},
			"503":              {503, "x", [2]string{}, domain.Overloaded, 0, 0},
			"529":              {529, d.overloaded, [2]string{}, domain.Overloaded, 0, 0},
			"520":              {520, "x", [2]string{}, domain.Broken, 0, 0},
		} {
			for how, sink := range map[string]*listener{"streamed": {}, "whole": nil} {
				t.Run(d.name+"/"+name+"/"+how, func(t *testing.T) {
					server := serve(t, func(w http.ResponseWriter, r *http.Request) {
						if test.header[0] != "" {
							w.Header().Set(test.header[0], test.header[1])
						}
						says(test.status, asJSON, fmt.Sprintf(d.refused, test.code))(w, r)
					})
					var err error
					provider := d.at(t, server.URL, long)
					if sink == nil {
						_, err = provider.Generate(t.Context(), d.asked(), nil)
					} else {
						_, err = provider.Generate(t.Context(), d.asked(), sink)
					}
					failure := wantFailure(t, err, test.reason)
					if failure.Status != test.status || failure.Code != test.code || failure.RequestID != "req-7" ||
						failure.RetryAfter < test.min || failure.RetryAfter > test.max {
						t.Errorf("%+v", failure)
					}
				})
			}
		}
		t.Run(d.name+"/a proxy's page", func(t *testing.T) {
			_, err := d.at(t, serve(t, says(502, "text/html", "<p>"+canary)).URL, long).Generate(t.Context(), d.asked(), nil)
			if failure := wantFailure(t, err, domain.Broken); failure.Status != 502 || failure.Code != "" {
				t.Errorf("%+v", failure)
			}
		})
		t.Run(d.name+"/names that are none", func(t *testing.T) {
			_, err := d.at(t, serve(t, says(400, asJSON, fmt.Sprintf(d.refused, "not a name "+canary))).URL, long).Generate(t.Context(), d.asked(), nil)
			wantFailure(t, err, domain.Refused)
		})
	}
}

// TestAPromptThatIsTooLong proves that Anthropic's way to say it, which has no name of its own, is understood.
func TestAPromptThatIsTooLong(t *testing.T) {
	const said = `{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 210000 tokens > 200000 maximum"}}`
	d := tongues()[1]
	_, err := d.at(t, serve(t, says(400, asJSON, said)).URL, long).Generate(t.Context(), d.asked(), nil)
	wantFailure(t, err, domain.TooLong)
}

func TestNobodyAnswers(t *testing.T) {
	server := serve(t, nil)
	server.Close()
	for _, d := range tongues() {
		_, err := d.at(t, server.URL, long).Generate(t.Context(), d.asked(), nil)
		wantFailure(t, err, domain.Unreachable)
	}
}

// TestSlowAnswersEnd proves that neither an answer that doesn't begin nor one that doesn't go on is waited for without end.
func TestSlowAnswersEnd(t *testing.T) {
	for _, d := range tongues() {
		for name, test := range map[string]struct {
			begin string
			sink  *listener
		}{
			"no headers": {"", &listener{}}, "no headers, whole": {"", nil}, "no content": {stream(d.pieces[:2]...), &listener{}},
			"no more": {stream(d.pieces[:d.cut]...), &listener{}},
		} {
			t.Run(d.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				left := make(chan struct{})
				server := serve(t, func(w http.ResponseWriter, r *http.Request) {
					defer close(left)
					_, _ = io.Copy(io.Discard, r.Body)
					if test.begin != "" {
						w.Header().Set("Content-Type", asEvents)
						_, _ = io.WriteString(w, test.begin)
						w.(http.Flusher).Flush()
					}
					<-r.Context().Done()
				})
				var err error
				if provider := d.at(t, server.URL, soon); test.sink == nil {
					_, err = provider.Generate(t.Context(), d.asked(), nil)
				} else {
					_, err = provider.Generate(t.Context(), d.asked(), test.sink)
				}
				wantFailure(t, err, domain.Late)
				<-left
			})
		}
	}
}

// TestAModelMayThink proves that until it says something it has the longer time, and then the shorter.
func TestAModelMayThink(t *testing.T) {
	for _, d := range tongues() {
		think := make(chan struct{})
		server := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", asEvents)
			_, _ = io.WriteString(w, stream(d.pieces[:2]...))
			w.(http.Flusher).Flush()
			<-think
			_, _ = io.WriteString(w, stream(d.pieces[2:d.cut]...))
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		})
		time.AfterFunc(100*time.Millisecond, func() { close(think) })
		l := &listener{}
		bounds := langchain.Bounds{First: time.Minute, Idle: 10 * time.Millisecond, Stream: time.Minute, Whole: time.Minute}
		_, err := d.at(t, server.URL, bounds).Generate(t.Context(), d.asked(), l)
		wantFailure(t, err, domain.Late)
		if l.text.String() != "Hello" {
			t.Errorf("%s: %q", d.name, l.text.String())
		}
	}
}

// TestWhoeverLeavesIsNotAnsweredOn proves that the provider is left as soon as the caller is, before its answer and within.
func TestWhoeverLeavesIsNotAnsweredOn(t *testing.T) {
	for _, d := range tongues() {
		for name, begin := range map[string]string{"before headers": "", "within": stream(d.pieces[:d.cut]...)} {
			t.Run(d.name+"/"+name, func(t *testing.T) {
				asked, left := make(chan struct{}), make(chan struct{})
				server := serve(t, func(w http.ResponseWriter, r *http.Request) {
					defer close(left)
					_, _ = io.Copy(io.Discard, r.Body)
					close(asked)
					if begin != "" {
						w.Header().Set("Content-Type", asEvents)
						_, _ = io.WriteString(w, begin)
						w.(http.Flusher).Flush()
					}
					<-r.Context().Done()
				})
				ctx, leave := context.WithCancel(t.Context())
				defer leave()
				l := &listener{}
				if begin == "" {
					go func() { <-asked; leave() }()
				} else {
					l.heard = leave
				}
				_, err := d.at(t, server.URL, long).Generate(ctx, d.asked(), l)
				wantFailure(t, err, domain.Cancelled)
				<-left
			})
		}
	}
}

// TestAListenersErrorIsItsOwn proves that what a listener says is no failure of the provider's.
func TestAListenersErrorIsItsOwn(t *testing.T) {
	for _, d := range tongues() {
		full := errors.New("full")
		_, err := d.at(t, serve(t, says(200, asEvents, stream(d.pieces...))).URL, long).Generate(t.Context(), d.asked(), &listener{err: full})
		if !errors.Is(err, full) {
			t.Errorf("%s: %v", d.name, err)
		}
	}
}

// TestWhatWasCountedIsKnown proves that a stream that broke says what it had used by then, where the provider said it.
func TestWhatWasCountedIsKnown(t *testing.T) {
	d := tongues()[1]
	_, err := d.at(t, serve(t, says(200, asEvents, stream(d.pieces[:d.cut]...))).URL, long).Generate(t.Context(), d.asked(), &listener{})
	want := domain.Usage{Input: 5, CachedRead: 4, Output: 1, Source: domain.Provided}
	if failure := wantFailure(t, err, domain.Broken); failure.Usage != want {
		t.Errorf("%+v", failure.Usage)
	}
}

// TestWhatCannotBeIsNotBelieved proves that no count or cost is beyond what a call can take: a ledger's sums would run over.
func TestWhatCannotBeIsNotBelieved(t *testing.T) {
	const most = 100_000_000
	for _, d := range tongues() {
		absurd := d.whole
		for _, name := range []string{"prompt_tokens", "completion_tokens", "input_tokens", "output_tokens", "cached_tokens", "cache_read_input_tokens"} {
			absurd = strings.ReplaceAll(absurd, `"`+name+`":`, `"`+name+`":9223372036854775`)
		}
		absurd = strings.ReplaceAll(absurd, `"total_cost":`, `"total_cost":1000`)
		server := serve(t, says(200, asJSON, absurd))
		got, err := d.at(t, server.URL, long).Generate(t.Context(), d.asked(), nil)
		if err != nil || got.Usage.Output != most || got.Usage.CachedRead != most || got.Usage.Input > most || got.Usage.Cost >= 10_000*domain.Dollar {
			t.Errorf("%s: %+v, %v", d.name, got.Usage, err)
		}
	}
	for said, want := range map[string]domain.Pico{"9999.5": 9999*domain.Dollar + domain.Dollar/2, "10000": 0, "1e300": 0, "-1": 0} {
		d := tongues()[2]
		server := serve(t, says(200, asJSON, strings.ReplaceAll(d.whole, "0.0051", said)))
		if got, err := d.at(t, server.URL, long).Generate(t.Context(), d.asked(), nil); err != nil || got.Usage.Cost != want {
			t.Errorf("%s dollars: %s, %v", said, got.Usage.Cost, err)
		}
	}
}

// TestNothingIsLeftBehind proves that streams that end in whatever way leave no goroutine.
func TestNothingIsLeftBehind(t *testing.T) {
	for _, d := range tongues() {
		t.Run(d.name, func(t *testing.T) {
			kinds := []http.HandlerFunc{
				says(200, asEvents, stream(d.pieces...)), says(200, asEvents, stream(d.pieces[:d.cut]...)),
				says(200, asEvents, stream(d.pieces[0], d.broken)), says(500, asJSON, "{}"), says(200, "text/html", "<p>"),
			}
			n := 0
			server := serve(t, func(w http.ResponseWriter, r *http.Request) { n++; kinds[n%len(kinds)](w, r) })
			provider := d.at(t, server.URL, long)
			base := 0
			for i := range 500 {
				_, _ = provider.Generate(t.Context(), d.asked(), &listener{})
				if i == 50 {
					base = runtime.NumGoroutine()
				}
			}
			if now := runtime.NumGoroutine(); now > base+10 {
				t.Errorf("of %d goroutines there are %d now", base, now)
			}
		})
	}
}

// slowly is memory whose answers come byte by byte.
type slowly struct{ memory }

func (s slowly) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := s.memory.RoundTrip(r)
	answer.Body = io.NopCloser(iotest.OneByteReader(answer.Body))
	return answer, err
}

// TestPiecesThatComeTogetherAreOne proves that text which is there at once is heard at once, and what comes bit by bit as it comes,
// and that neither changes what is heard.
func TestPiecesThatComeTogetherAreOne(t *testing.T) {
	for _, d := range tongues() {
		m := memory{asEvents, []byte(stream(d.pieces...))}
		for name, test := range map[string]struct {
			through http.RoundTripper
			want    int
		}{"at once": {m, 1}, "bit by bit": {slowly{m}, 2}} {
			heard, l := 0, &listener{}
			l.heard = func() { heard++ }
			if _, err := d.through(t, test.through).Generate(t.Context(), d.asked(), l); err != nil || l.text.String() != "Hello world" || heard != test.want {
				t.Errorf("%s, %s: %q in %d pieces, %v", d.name, name, l.text.String(), heard, err)
			}
		}
		// What was said before it went wrong is heard, though it came with that.
		l := &listener{}
		broken := memory{asEvents, []byte(stream(append(slices.Clip(d.pieces[:d.cut]), d.broken)...))}
		if _, err := d.through(t, broken).Generate(t.Context(), d.asked(), l); err == nil || l.text.String() != "Hello" {
			t.Errorf("%s: before it went wrong %q was heard, %v", d.name, l.text.String(), err)
		}
	}
}
