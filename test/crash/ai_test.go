//scaffold:needs ai

package crash

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/testkit"
	"github.com/omnistack/omnistack/test/apptest"
)

// askers is how many have models answer at once.
const askers = 8

// TestAKilledProgramLosesNoCall proves that whatever a kill interrupts, each call has exactly one row in the ledger: those whose
// answers came, and those of which nobody heard. What was set aside for them is given back.
func TestAKilledProgramLosesNoCall(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *site) {
		token := s.token("alice")
		answered := map[string]bool{}
		var mu sync.Mutex
		for range 5 {
			p := s.start()
			p.killAmid(askers, 20+rand.Int64N(100), func(i int) error {
				id, err := ask(p.host, token, i%2 == 0)
				if err != nil {
					return err
				}
				mu.Lock()
				defer mu.Unlock()
				answered[id] = true
				return nil
			})
		}

		held := testkit.Rows(t, s.db, "ai_holds", "")
		s.start()
		apptest.Change(t, s.db, "UPDATE ai_holds SET expires_at = started_at") // as if time had gone by
		apptest.Work(t, s.db, "ai.sweep")
		if left := testkit.Rows(t, s.db, "ai_holds", ""); left != 0 {
			t.Fatalf("after the sweep %d are set aside", left)
		}

		rows, err := database.All(s.db.Read(t.Context()).Raw("SELECT id FROM ai_calls WHERE status = 'completed'"), database.Scalar[string])
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range rows {
			delete(answered, id)
		}
		if len(answered) > 0 {
			t.Errorf("%d answered calls aren't in the ledger", len(answered))
		}
		if killed := testkit.Rows(t, s.db, "ai_calls", "status = 'killed'"); killed != held {
			t.Errorf("%d calls were going on, and %d are said to be killed", held, killed)
		}
		sound := testkit.Rows(t, s.db, "ai_budgets", "reserved = 0 AND spent = (SELECT sum(cost) FROM ai_calls)")
		events := testkit.Rows(t, s.db, "events_outbox", "name = 'ai.completion_finished.v1'")
		if all := testkit.Rows(t, s.db, "ai_calls", ""); sound != 1 || events != all {
			t.Errorf("the budget isn't what the %d calls cost, or %d events tell of them", all, events)
		}
		t.Logf("%d calls were answered, and %d going on when the program was killed", len(rows), held)
	}, "ENVIRONMENT=test")
}

// ask has a model answer, in a stream or not, and returns the id of the call when the answer is whole.
func ask(host, token string, stream bool) (string, error) {
	request, err := http.NewRequest(http.MethodPost, "http://"+host+"/api/v1/app/ai/complete",
		strings.NewReader(fmt.Sprintf(`{"prompt": "Say hello", "stream": %t}`, stream)))
	if err != nil {
		return "", err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return "", err
	}
	if stream {
		_, last, done := strings.Cut(string(text), "event: done\ndata: ")
		if !done {
			return "", fmt.Errorf("%d, and no end: %.300s", answer.StatusCode, text)
		}
		text = []byte(last)
	}
	var call struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(text, &call); err != nil || call.ID == "" {
		return "", fmt.Errorf("%d: %.300s", answer.StatusCode, text)
	}
	return call.ID, nil
}
