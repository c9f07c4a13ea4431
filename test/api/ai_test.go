//scaffold:needs ai billing

package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/testkit"
	"github.com/omnistack/omnistack/test/apptest"
)

const chatCompletions = "/v1/chat/completions"

// provider stands in for OpenAI, over a socket. A call goes as its test says.
type provider struct {
	url   string
	asked chan *exchange // each call, as it comes
}

// exchange is one call of the provider.
type exchange struct {
	body []byte
	says chan string   // pieces of the answer: an empty one ends it well
	gone chan struct{} // closed when the caller has left
}

// piece is how a provider's stream goes on, and lastPieces how it ends.
const (
	chunk      = `data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":`
	piece      = chunk + `[{"index":0,"delta":{"content":%s},"finish_reason":null}]}` + "\n\n"
	lastPieces = chunk + `[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\n" +
		chunk + `[],"usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10}}` + "\n\ndata: [DONE]\n\n"
)

// openAI starts a provider, and returns the settings that lead to it.
func openAI(t *testing.T) (*provider, []string) {
	p := &provider{asked: make(chan *exchange, 100)}
	server := httptest.NewServer(http.HandlerFunc(p.answer))
	t.Cleanup(server.CloseClientConnections)
	t.Cleanup(server.Close)
	p.url = server.URL
	return p, []string{"OPENAI_API_KEY=sk-numbat", "OPENAI_BASE_URL=" + server.URL + "/v1"}
}

func (p *provider) answer(w http.ResponseWriter, r *http.Request) {
	x := &exchange{says: make(chan string), gone: make(chan struct{})}
	x.body = make([]byte, r.ContentLength)
	for read := 0; read < len(x.body); {
		n, err := r.Body.Read(x.body[read:])
		read += n
		if err != nil {
			break
		}
	}
	context.AfterFunc(r.Context(), func() { close(x.gone) })
	p.asked <- x
	for {
		select {
		case <-r.Context().Done():
			return
		case text := <-x.says:
			w.Header().Set("Content-Type", "text/event-stream")
			if text == "" {
				fmt.Fprint(w, lastPieces)
				return
			}
			quoted, _ := json.Marshal(text)
			fmt.Fprintf(w, piece, quoted)
			w.(http.Flusher).Flush()
		}
	}
}

// ledger awaits the rows of ai_calls, one for each call so far, and returns their statuses, sorted.
func ledger(t *testing.T, app *apptest.App, calls int) []string {
	t.Helper()
	apptest.Await(t, fmt.Sprintf("%d calls in the ledger", calls), func() bool {
		return testkit.Rows(t, app.DB, "ai_calls", "") == calls && testkit.Rows(t, app.DB, "ai_holds", "") == 0
	})
	statuses, err := database.All(app.DB.Read(t.Context()).Raw("SELECT status FROM ai_calls ORDER BY status"), database.Scalar[string])
	if err != nil {
		t.Fatal(err)
	}
	return statuses
}

func TestAModelAnswers(t *testing.T) {
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		alice := app.User(t, "alice")
		answer := alice.Do(t, "POST", ai+"/complete", testkit.Body(`{"prompt": "Say hello", "system_prompt": "Be kind", "complexity": "complex"}`)).Want(200)
		answer.WantJSON("model", "sim-large").WantJSON("provider", "sim").WantJSON("route", "complex").WantJSON("finish_reason", "stop")
		answer.WantJSON("usage.prompt_tokens", 4.0).WantJSON("cost.known", true).WantHeader("X-AI-Route-Reason", "it was asked for")
		words := len(strings.Fields(answer.Text("content")))
		answer.WantJSON("usage.completion_tokens", float64(words))

		events := alice.Events(t, "POST", ai+"/chat", testkit.Body(`{"messages": [{"role": "user", "content": "Say hello"}], "stream": true}`))
		start := events.Want("start")
		start.WantJSON("model", "sim-small").WantJSON("route", "simple")
		if events.Header.Get("X-AI-Route-Reason") != "it is short" {
			t.Errorf("the header is %v", events.Header)
		}
		text := ""
		for name, data := events.Next(); ; name, data = events.Next() {
			if name == "done" {
				data.WantJSON("id", start.Text("id")).WantJSON("usage.completion_tokens", float64(len(strings.Fields(text))))
				break
			}
			text += data.Text("content")
		}
		if statuses := ledger(t, app, 2); !slices.Equal(statuses, []string{"completed", "completed"}) {
			t.Errorf("the ledger has %v", statuses)
		}

		usage := alice.Do(t, "GET", ai+"/usage").Want(200).WantJSON("calls", 2.0).WantJSON("budget.limit_usd", nil).WantJSON("budget.reserved_usd", "0")
		usage.WantJSON("cost_usd", usage.Text("budget.spent_usd"))
		app.User(t, "bob").Do(t, "GET", ai+"/usage").Want(200).WantJSON("calls", 0.0).WantJSON("cost_usd", "0")
		root := app.As(app.Token(t, auth.DevClaims{Subject: "root", Role: "admin"}))
		root.Do(t, "GET", api+"/admin/ai/usage").Want(200).WantJSON("calls", 2.0).WantJSON("cost_usd", usage.Text("cost_usd"))
		alice.Do(t, "GET", ai+"/usage?from=2020-01-01").WantError(422, "VALIDATION_ERROR")
		if events := testkit.Rows(t, app.DB, "events_outbox", "name = 'ai.completion_finished.v1'"); events != 2 {
			t.Errorf("%d events say that a call ended", events)
		}

		alice.Do(t, "DELETE", me).Want(202)
		apptest.Await(t, "that nobody's are the rows", func() bool {
			return testkit.Rows(t, app.DB, "ai_calls", "user_id IS NULL") == 2 && testkit.Rows(t, app.DB, "ai_budgets", "") == 0
		})
		root.Do(t, "GET", api+"/admin/ai/usage").Want(200).WantJSON("calls", 2.0)
	})
}

func TestTheSameAnswerAgainCostsNothing(t *testing.T) {
	t.Parallel()
	app := apptest.Start(t, database.SQLite)
	alice, bob := app.User(t, "alice"), app.User(t, "bob")
	body := testkit.Body(`{"prompt": "Say hello", "cache": true}`)
	first := alice.Do(t, "POST", ai+"/complete", body).Want(200).WantJSON("cached", false)
	again := alice.Do(t, "POST", ai+"/complete", body).Want(200).WantJSON("cached", true).WantJSON("cost.amount_usd", "0").WantJSON("content", first.Text("content"))
	if again.Text("id") == first.Text("id") {
		t.Error("both are one call")
	}
	bob.Do(t, "POST", ai+"/complete", body).Want(200).WantJSON("cached", false)
	alice.Do(t, "GET", ai+"/usage").Want(200).WantJSON("calls", 2.0).WantJSON("cost_usd", first.Text("cost.amount_usd"))
}

func TestAPlanOpensRoutes(t *testing.T) {
	t.Parallel()
	app := apptest.Start(t, database.SQLite, apptest.BuiltInPlans)
	s, alice := shop{app}, app.User(t, "alice")
	const hard, named = `{"prompt": "Compare these two designs"}`, `{"prompt": "Hello", "model": "sim-large"}`
	alice.Do(t, "POST", ai+"/complete", testkit.Body(hard)).Want(200).WantJSON("route", "simple").
		WantHeader("X-AI-Route-Reason", "it asks for reasons or a plan, and the plan doesn't include complex")
	alice.Do(t, "POST", ai+"/complete", testkit.Body(named)).WantError(402, "PAYMENT_REQUIRED").WantJSON("error.details.reason", "ai_model_not_included")
	s.buy(t, alice, "pro", "monthly")
	apptest.Await(t, "the plan to count", func() bool {
		return alice.Do(t, "POST", ai+"/complete", testkit.Body(named)).Status == http.StatusOK
	})
	alice.Do(t, "POST", ai+"/complete", testkit.Body(hard)).Want(200).WantJSON("route", "complex")
	alice.Do(t, "GET", ai+"/models").Want(200).WantJSON("routes.2.name", "complex").WantJSON("routes.2.open", true)
	alice.Do(t, "POST", ai+"/complete", testkit.Body(`{"prompt": "Hello", "model": "gtp-6-luna"}`)).WantError(422, "VALIDATION_ERROR")

	portal, subscription := s.portal(t, alice)
	s.press(t, portal, "end", "subscription", subscription)
	apptest.Await(t, "the end of it", func() bool {
		return alice.Do(t, "POST", ai+"/complete", testkit.Body(named)).Status == http.StatusPaymentRequired
	})
}

// TestABudgetIsNotOverspent proves that of 100 calls at once those are made that a budget has room for, whose end gives back
// what they didn't take, so that others are made later.
func TestABudgetIsNotOverspent(t *testing.T) {
	plans := filepath.Join(t.TempDir(), "plans.yaml")
	const poor = `plans: [{name: free, projects: -1, storage_mib: -1, rate_factor: 1, ai: {budget: 5, routes: ["*"]}}]`
	if err := os.WriteFile(plans, []byte(poor), 0o600); err != nil {
		t.Fatal(err)
	}
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		alice := app.User(t, "alice")
		alice.Do(t, "GET", me).Want(200)
		var mu sync.Mutex
		statuses := map[int]int{}
		var all sync.WaitGroup
		for range 100 { // each sets a cent aside
			all.Go(func() {
				answer := alice.Do(t, "POST", ai+"/complete", testkit.Body(`{"prompt": "Say hello", "model": "sim-large"}`))
				mu.Lock()
				defer mu.Unlock()
				statuses[answer.Status]++
				if answer.Status == http.StatusPaymentRequired {
					answer.WantJSON("error.details.reason", "ai_budget_spent").WantJSON("error.details.budget_usd", "0.05")
				}
			})
		}
		all.Wait()
		if statuses[200] < 4 || statuses[402] == 0 || statuses[200]+statuses[402] != 100 {
			t.Errorf("the answers are %v", statuses)
		}
		ledger(t, app, statuses[200])
		if over := testkit.Rows(t, app.DB, "ai_budgets", "spent + reserved > 50000000000 OR reserved <> 0"); over != 0 {
			t.Error("the budget is overspent, or something is set aside still")
		}
		alice.Do(t, "POST", ai+"/complete", testkit.Body(`{"prompt": "Say hello", "model": "sim-large", "max_tokens": 5000}`)).WantError(402, "PAYMENT_REQUIRED")
		alice.Do(t, "POST", chatCompletions, testkit.Body(`{"model": "sim-large", "max_tokens": 5000, "messages": [{"role": "user", "content": "Hello"}]}`)).
			WantError(402, "PAYMENT_REQUIRED").WantJSON("error.type", "insufficient_quota")
	}, "BILLING_CATALOG_FILE="+plans)
}

// TestWhoeverLeavesEndsTheCall proves that a provider is left when its client is gone, before it has said anything and in the
// middle of it, streamed and not, and that the ledger says so. How long that takes is told with -v.
func TestWhoeverLeavesEndsTheCall(t *testing.T) {
	t.Parallel()
	p, settings := openAI(t)
	app := apptest.Start(t, database.SQLite, settings...)
	alice := app.Token(t, claims("alice"))
	app.As(alice).Do(t, "GET", me).Want(200)
	calls := 0
	for name, test := range map[string]struct {
		path, body string
		pieces     int
	}{
		"whole":             {ai + "/complete", `{"prompt": "Hello", "model": "openai/m"}`, 0},
		"before the stream": {ai + "/complete", `{"prompt": "Hello", "model": "openai/m", "stream": true}`, 0},
		"within":            {ai + "/complete", `{"prompt": "Hello", "model": "openai/m", "stream": true}`, 3},
		"within OpenAI's":   {chatCompletions, `{"messages": [{"role": "user", "content": "Hello"}], "model": "openai/m", "stream": true}`, 3},
	} {
		var took []time.Duration
		for range 10 {
			ctx, leave := context.WithCancel(t.Context())
			request, err := http.NewRequestWithContext(ctx, http.MethodPost, app.URL+test.path, strings.NewReader(test.body))
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Authorization", "Bearer "+alice)
			request.Header.Set("Content-Type", "application/json")
			ended := make(chan struct{})
			go func() {
				answer, err := http.DefaultClient.Do(request)
				if err == nil {
					buffer := make([]byte, 1<<10)
					for err == nil {
						_, err = answer.Body.Read(buffer)
					}
					_ = answer.Body.Close()
				}
				close(ended)
			}()
			x := <-p.asked
			for i := range test.pieces {
				x.says <- fmt.Sprintf("piece %d ", i)
			}
			left := time.Now()
			leave()
			select {
			case <-x.gone:
			case <-time.After(20 * time.Second):
				t.Fatalf("%s: the provider isn't left", name)
			}
			took = append(took, time.Since(left))
			<-ended
			calls++
		}
		slices.Sort(took)
		t.Logf("%s: the provider is left after %v at most", name, took[len(took)-1])
	}
	statuses := ledger(t, app, calls)
	if left := testkit.Rows(t, app.DB, "ai_calls", "status = 'cancelled' AND usage_source = 'estimated' AND input > 0 AND NOT cost_known"); left != calls {
		t.Errorf("of %d calls %d are cancelled ones with an estimate: %v", calls, left, statuses)
	}
}

// TestAStopTellsStreams proves that the stream of an answer ends with its one event when the server stops.
func TestAStopTellsStreams(t *testing.T) {
	t.Parallel()
	p, settings := openAI(t)
	app := apptest.Start(t, database.SQLite, settings...)
	alice := app.User(t, "alice")
	alice.Do(t, "GET", me).Want(200)
	begun := make(chan *testkit.Events)
	go func() {
		begun <- alice.Events(t, "POST", ai+"/complete", testkit.Body(`{"prompt": "Hello", "model": "openai/m", "stream": true}`))
	}()
	x := <-p.asked
	x.says <- "one"
	events := <-begun
	events.Want("start")
	events.Want("delta").WantJSON("content", "one")
	app.Stop()
	events.WantFailure("SERVICE_UNAVAILABLE")
	<-x.gone
	if statuses := ledger(t, app, 1); statuses[0] != "cancelled" {
		t.Errorf("the ledger has %v", statuses)
	}
}

// TestWhatIsSaidIsKeptNowhere proves that neither questions nor answers nor the provider's key are in a log, an event, a job or
// any other row, also when a call fails in the middle.
func TestWhatIsSaidIsKeptNowhere(t *testing.T) {
	t.Parallel()
	const asked, answered = "quokka-question", "numbat-answer"
	p, settings := openAI(t)
	app := apptest.Start(t, database.SQLite, settings...)
	alice := app.User(t, "alice")
	body := testkit.Body(`{"prompt": "` + asked + `", "system_prompt": "` + asked + `", "model": "openai/m", "stream": true}`)
	for range 2 {
		begun := make(chan *testkit.Events)
		go func() { begun <- alice.Events(t, "POST", ai+"/complete", body) }()
		x := <-p.asked
		if !strings.Contains(string(x.body), asked) {
			t.Fatalf("the provider is asked %s", x.body)
		}
		x.says <- answered
		events := <-begun
		events.Want("start")
		events.Want("delta").WantJSON("content", answered)
		x.says <- ""
		events.WantLast("done")
	}
	alice.Do(t, "POST", ai+"/complete", testkit.Body(`{"prompt": "`+asked+`", "model": "quokka-question-model"}`)).WantError(422, "VALIDATION_ERROR")
	ledger(t, app, 2)
	for what, text := range map[string]string{
		"the log": logged(app), "calls": whole(t, app, "SELECT * FROM ai_calls"), "events": whole(t, app, "SELECT * FROM events_outbox"),
		"jobs": whole(t, app, "SELECT kind, CAST(args AS text), CAST(errors AS text), CAST(metadata AS text) FROM river_job"),
	} {
		for _, secret := range []string{asked, answered, "sk-numbat"} {
			if strings.Contains(text, secret) {
				t.Errorf("%s: it holds %s", what, secret)
			}
		}
	}
}

// TestAChangedFileOfModelsCounts proves that models are read again without a restart, and that a file that makes no sense
// changes nothing.
func TestAChangedFileOfModelsCounts(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "models.yaml")
	write := func(text string, at time.Time) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, at, at); err != nil {
			t.Fatal(err)
		}
	}
	models := func(first string) string {
		return `version: "1"
families: {sim-: sim}
models:
  - {id: sim-small, provider: sim, context: 1000, max_output: 100, accepts: [], source: a test, checked: 2026-11-27}
  - {id: sim-large, provider: sim, context: 1000, max_output: 100, accepts: [], source: a test, checked: 2026-11-27}
routes: {simple: [` + first + `], moderate: [sim-small], complex: [sim-small], search: [sim-small]}
`
	}
	write(models("sim-small"), time.Unix(1, 0))
	app := apptest.Start(t, database.SQLite, "AI_CATALOG_FILE="+file)
	alice := app.User(t, "alice")
	answers := func(model string) bool {
		answer := alice.Do(t, "POST", ai+"/complete", testkit.Body(`{"prompt": "Hello", "complexity": "simple", "max_tokens": 5}`)).Want(200)
		return answer.WantJSON("cost.known", false).Text("model") == model
	}
	if !answers("sim-small") {
		t.Fatal("the file doesn't count")
	}
	write("models: nonsense", time.Unix(2, 0))
	apptest.Await(t, "a complaint", func() bool { return strings.Contains(logged(app), "can't be used") })
	if !answers("sim-small") {
		t.Fatal("a file that makes no sense counts")
	}
	write(models("sim-large"), time.Unix(3, 0))
	apptest.Await(t, "the new file", func() bool { return answers("sim-large") })
}

// TestASecondKeyTakesOver proves that calls go on when one of several keys is refused, that nobody notices, and that it isn't tried
// again for a while.
func TestASecondKeyTakesOver(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	used := map[string]int{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		used[r.Header.Get("Authorization")]++
		mu.Unlock()
		if r.Header.Get("Authorization") != "Bearer sk-good" {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"error": {"message": "Incorrect API key provided: sk-bad", "type": "invalid_request_error", "code": "invalid_api_key"}}`)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"id": "c1", "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}]}`)
	}))
	t.Cleanup(server.Close)
	app := apptest.Start(t, database.SQLite, "OPENAI_API_KEY=sk-bad, sk-good", "OPENAI_BASE_URL="+server.URL+"/v1")
	alice := app.User(t, "alice")
	for range 4 {
		alice.Do(t, "POST", ai+"/complete", testkit.Body(`{"prompt": "Hello", "model": "openai/m"}`)).Want(200)
	}
	if used["Bearer sk-bad"] != 1 || used["Bearer sk-good"] != 4 {
		t.Errorf("the keys were used %v times", used)
	}
}

// TestNoProviderHearsWhatIsMasked proves it over the wire, and that an answer is masked however it is cut.
func TestNoProviderHearsWhatIsMasked(t *testing.T) {
	t.Parallel()
	p, settings := openAI(t)
	app := apptest.Start(t, database.SQLite, append(settings, "AI_REDACT=email, phone")...)
	alice := app.User(t, "alice")
	begun := make(chan *testkit.Events)
	go func() {
		begun <- alice.Events(t, "POST", ai+"/complete", testkit.Body(`{"prompt": "Write to ann@example.com", "model": "openai/m", "stream": true}`))
	}()
	x := <-p.asked
	if body := string(x.body); strings.Contains(body, "ann@") || !strings.Contains(body, "Write to [email]") {
		t.Errorf("the provider hears %s", body)
	}
	for _, text := range []string{"Call +44 20 ", "7946 09", "58 or bob@exam", "ple.org.", ""} {
		x.says <- text
	}
	events, heard := <-begun, ""
	events.Want("start")
	for name, data := events.Next(); name == "delta"; name, data = events.Next() {
		heard += data.Text("content")
	}
	if heard != "Call [phone] or [email]." {
		t.Errorf("alice hears %q", heard)
	}
}

func TestWhatModelsTakeIsMeasured(t *testing.T) {
	t.Parallel()
	app := apptest.Start(t, database.SQLite, measured)
	alice := app.User(t, "alice")
	alice.Do(t, "POST", ai+"/complete", testkit.Body(`{"prompt": "Say hello", "model": "sim-small", "max_tokens": 3}`)).Want(200)
	alice.Do(t, "POST", ai+"/complete", testkit.Body(`{"prompt": "Say hello", "model": "sim-fault-500"}`)).WantError(502, "EXTERNAL_SERVICE_ERROR")
	for _, line := range []string{
		`omnistack_ai_calls_total{model="sim-small",provider="sim",status="completed"} 1`,
		`omnistack_ai_calls_total{model="other",provider="sim",status="failed"} 1`,
		`omnistack_ai_requests_total{model="other",provider="sim"} 2`,
		`omnistack_ai_tokens_total{kind="completion",model="sim-small",provider="sim"} 3`,
		`omnistack_ai_cost_microdollars_total{model="sim-small",provider="sim"} 1`,
		`omnistack_ai_breaker_openings_total{model="sim-small",provider="sim"} 0`,
	} {
		if !metrics(t, app, line) {
			t.Errorf("there is no line %s", line)
		}
	}
}
