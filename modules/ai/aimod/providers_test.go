package aimod_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/omnistack/omnistack/modules/ai/internal/adapters/langchain"
	"github.com/omnistack/omnistack/modules/ai/internal/adapters/simulator"
	"github.com/omnistack/omnistack/modules/ai/internal/domain"
	"github.com/omnistack/omnistack/platform/testkit"
)

// hearing listens to a stream.
type hearing struct {
	text  strings.Builder
	tools map[int]string
	heard func()
}

func (h *hearing) Text(piece string) error {
	h.text.WriteString(piece)
	if h.heard != nil {
		h.heard()
	}
	return nil
}

func (h *hearing) Reasoning(string) error { return nil }

func (h *hearing) Tool(piece domain.ToolDelta) error {
	if h.tools == nil {
		h.tools = map[int]string{}
	}
	h.tools[piece.Index] += piece.Arguments
	return nil
}

// double is a provider that is simulated in memory.
type double struct {
	*simulator.Simulator
	*langchain.Provider
}

// doubles returns the simulator as each of the two providers whose dialects it speaks.
func doubles(t testing.TB, bounds langchain.Bounds) map[string]double {
	t.Helper()
	made := map[string]double{}
	for dialect, open := range map[string]func(langchain.Options) (*langchain.Provider, error){
		"openai": langchain.OpenAI, "anthropic": langchain.Anthropic,
	} {
		sim := simulator.New(simulator.Options{})
		provider, err := open(langchain.Options{
			Provider: "sim", Key: "any", BaseURL: "http://simulator/v1", Bounds: bounds, Transport: sim,
		})
		if err != nil {
			t.Fatal(err)
		}
		made[dialect] = double{sim, provider}
	}
	return made
}

func question(model, text string) *domain.Call {
	return &domain.Call{
		Model:    domain.Model{ID: model, MaxOutput: 4096, Accepts: domain.Accepts{Temperature: true, Tools: true, JSONSchema: true, Stop: true}},
		Messages: []domain.Message{{Role: domain.User, Parts: []domain.Part{{Text: text}}}},
	}
}

var patient = langchain.Bounds{First: time.Minute, Idle: time.Minute, Stream: time.Minute, Whole: time.Minute}

// TestEveryFaultOfAProvider proves that no fault that the simulator knows looks as if an answer had ended well, in either
// dialect, streamed or not, and that what is odd but whole is an answer.
func TestEveryFaultOfAProvider(t *testing.T) {
	const good = domain.Reason("")
	type ends struct{ streamed, whole domain.Reason }
	faults := map[string]ends{
		"429": {domain.RateLimited, domain.RateLimited}, "429-date": {domain.RateLimited, domain.RateLimited},
		"429-odd": {domain.RateLimited, domain.RateLimited}, "401": {domain.KeyRefused, domain.KeyRefused},
		"400-context": {domain.TooLong, domain.TooLong}, "500": {domain.Broken, domain.Broken}, "503": {domain.Overloaded, domain.Overloaded},
		"529": {domain.Overloaded, domain.Overloaded}, "html": {domain.Broken, domain.Broken}, "html-502": {domain.Broken, domain.Broken},
		"wrong-type": {domain.Broken, domain.Broken}, "eof": {domain.Broken, domain.Broken},
		"reset": {domain.Broken, domain.Broken}, "garbage": {domain.Broken, domain.Broken},
		"slow-headers": {domain.Late, domain.Late}, "slow-chunks": {domain.Late, domain.Late},
		"big-line": {good, good}, "crlf": {good, good}, "comments": {good, good}, "bytes": {good, good}, "no-usage": {good, good},
		"null-finish": {good, domain.Broken}, "mid-error": {domain.Broken, domain.Broken}, "empty-choices": {good, domain.Broken},
		"flaky": {good, domain.Broken}, // of two calls the second
	}
	anthropics := map[string]ends{
		"mid-error": {domain.Overloaded, domain.Broken}, "empty-choices": {good, good}, // no content, and why it ended: an answer
	}
	for _, model := range models(t) {
		if fault, is := strings.CutPrefix(model, "sim-fault-"); is {
			if _, tried := faults[fault]; !tried {
				t.Errorf("the fault %s isn't tried", fault)
			}
		}
	}
	for fault, want := range faults {
		bounds := patient
		if strings.HasPrefix(fault, "slow-") {
			bounds = langchain.Bounds{First: 300 * time.Millisecond, Idle: 300 * time.Millisecond, Stream: time.Minute, Whole: 300 * time.Millisecond}
		}
		for dialect, double := range doubles(t, bounds) {
			want := want
			if other, is := anthropics[fault]; is && dialect == "anthropic" {
				want = other
			}
			t.Run(dialect+"/"+fault, func(t *testing.T) {
				t.Parallel()
				call := question("sim-fault-"+fault, "Hello")
				check := func(how string, err error, want domain.Reason) {
					failure, failed := errors.AsType[*domain.Failure](err)
					if failed != (want != good) || failed && failure.Reason != want {
						t.Errorf("%s: got %v, want %q", how, err, want)
					}
				}
				_, err := double.Generate(t.Context(), call, &hearing{})
				check("streamed", err, want.streamed)
				_, err = double.Generate(t.Context(), call, nil)
				check("whole", err, want.whole)
			})
		}
	}
}

// models returns the names of the models that the simulator serves.
func models(t *testing.T) []string {
	t.Helper()
	request := httptest.NewRequest(http.MethodGet, "/v1/models", nil)
	request.Header.Set("Authorization", "Bearer any")
	answer := httptest.NewRecorder()
	simulator.New(simulator.Options{}).ServeHTTP(answer, request)
	var list struct {
		Data []struct {
			ID string `json:"id"`
		} `json:"data"`
	}
	if err := json.Unmarshal(answer.Body.Bytes(), &list); err != nil || len(list.Data) == 0 {
		t.Fatalf("the models are %s, %v", answer.Body, err)
	}
	var names []string
	for _, model := range list.Data {
		names = append(names, model.ID)
	}
	return names
}

// TestAnErrorWithinAStream proves that an error that is an event of the stream is none of the answer's.
func TestAnErrorWithinAStream(t *testing.T) {
	for dialect, double := range doubles(t, patient) {
		h := &hearing{}
		_, err := double.Generate(t.Context(), question("sim-fault-mid-error", "Hello"), h)
		want := map[string]domain.Reason{"openai": domain.Broken, "anthropic": domain.Overloaded}[dialect]
		if failure, ok := errors.AsType[*domain.Failure](err); !ok || failure.Reason != want || h.text.Len() == 0 {
			t.Errorf("%s: %v after %q", dialect, err, h.text.String())
		}
	}
}

// TestAnAnswerIsTheSameStreamed proves that a stream brings what an answer in one piece has, and counts as its provider does.
func TestAnAnswerIsTheSameStreamed(t *testing.T) {
	for dialect, double := range doubles(t, patient) {
		for _, model := range []string{"sim-small", "sim-large", "sim-search"} {
			call := question(model, "What is a "+model+"?")
			whole, err := double.Generate(t.Context(), call, nil)
			if err != nil {
				t.Fatal(err)
			}
			h := &hearing{}
			streamed, err := double.Generate(t.Context(), call, h)
			if err != nil || h.text.String() != whole.Text || whole.Text == "" || streamed.Usage != whole.Usage || streamed.Finish != whole.Finish {
				t.Errorf("%s, %s: %+v, %v; else %+v", dialect, model, streamed, err, whole)
			}
			calls := double.Calls()
			last := calls[len(calls)-1]
			if last.Prompt != whole.Usage.Prompt() || last.Completion != whole.Usage.Output || whole.Usage.Source != domain.Provided {
				t.Errorf("%s, %s: it counted %+v, we %+v", dialect, model, last, whole.Usage)
			}
		}
		tools := question("sim-small", "Use a tool")
		tools.Tools = []domain.Tool{
			{Name: "one", Parameters: []byte(`{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}`)},
			{Name: "two", Parameters: []byte(`{"type":"object","properties":{"b":{"type":"integer"}},"required":["b"]}`)},
		}
		whole, err := double.Generate(t.Context(), tools, nil)
		if err != nil || len(whole.Calls) != 2 || whole.Finish != domain.FinishTools {
			t.Fatalf("%s: %+v, %v", dialect, whole, err)
		}
		h := &hearing{}
		if _, err := double.Generate(t.Context(), tools, h); err != nil || len(h.tools) != 2 ||
			compact(h.tools[0]) != compact(whole.Calls[0].Arguments) || compact(h.tools[1]) != compact(whole.Calls[1].Arguments) {
			t.Errorf("%s: %v, %v; else %+v", dialect, h.tools, err, whole.Calls)
		}
	}
}

func compact(text string) string { return strings.ReplaceAll(text, " ", "") }

// TestProvidersAreLeft proves that a call whose caller is gone ends at the provider: nothing more is made or billed.
func TestProvidersAreLeft(t *testing.T) {
	for dialect, double := range doubles(t, patient) {
		ctx, leave := context.WithCancel(t.Context())
		h := &hearing{heard: leave}
		_, err := double.Generate(ctx, question("sim-fault-slow-chunks", "Hello"), h)
		if failure, ok := errors.AsType[*domain.Failure](err); !ok || failure.Reason != domain.Cancelled {
			t.Errorf("%s: %v", dialect, err)
		}
		await(t, dialect+": the provider to stop", func() bool { return len(double.Calls()) == 1 })
		if call := double.Calls()[0]; call.Finished || call.Sent > 3 {
			t.Errorf("%s: %+v", dialect, call)
		}
	}
}

// TestTenThousandFaultyStreams proves that streams that end in every way leave neither goroutines nor memory behind.
func TestTenThousandFaultyStreams(t *testing.T) {
	models := []string{
		"sim-small", "sim-fault-mid-error", "sim-fault-eof", "sim-fault-reset", "sim-fault-garbage", "sim-fault-500", "sim-fault-429", "sim-fault-html",
		"sim-fault-crlf", "sim-fault-flaky",
	}
	streams := 5_000 // of each dialect
	if testkit.Raced() || testing.Short() {
		streams = 500
	}
	for dialect, double := range doubles(t, patient) {
		run := func(n int) {
			for i := range n {
				_, err := double.Generate(t.Context(), question(models[i%len(models)], "Hello"), &hearing{})
				if good := i%len(models) == 0; good && err != nil {
					t.Fatal(err)
				}
			}
		}
		run(100)
		goroutines, heap := runtime.NumGoroutine(), living()
		run(streams)
		await(t, dialect+": the goroutines to end", func() bool { return runtime.NumGoroutine() <= goroutines+1 })
		// The simulator remembers its calls: less than 300 bytes of each.
		if now := living(); now > heap+uint64(streams)*300+1<<20 {
			t.Errorf("%s: of %d bytes there are %d now", dialect, heap, now)
		}
		if calls := len(double.Calls()); calls != streams+100 {
			t.Errorf("%s: %d calls ended", dialect, calls)
		}
	}
}

// await returns when the condition holds, and ends the test if that takes more than ten seconds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// living returns how many bytes are in use.
func living() uint64 {
	runtime.GC()
	runtime.GC() // what had a finalizer
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}
