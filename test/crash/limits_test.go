package crash

import (
	"net/http"
	"sync"
	"testing"

	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/testkit"
)

// Of 2,000 calls of a user at once, to two programs that share a Redis, exactly the limit passes. It is 60 an hour, so that
// none comes back before all are answered. On a busy machine Redis may be too late for some calls, which a program then
// counts itself, with half of the limit; those say so, and are counted apart.
func TestTwoProgramsShareALimit(t *testing.T) {
	const (
		calls = 2000
		limit = 60
	)
	s := newSite(t, testkit.DatabaseOptions(t, database.SQLite), "REDIS_URL="+testkit.Redis(t), "RATE_LIMIT_ENABLED=true", "RATE_LIMIT_DEFAULT=60/hour")
	programs := []*program{s.start(), s.start()}
	client := &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: calls}}
	defer client.CloseIdleConnections()
	// ask calls the programs in turn, each time with another of the tokens.
	ask := func(count int, tokens ...string) []answer {
		answers := make([]answer, count)
		var running sync.WaitGroup
		ready := make(chan struct{})
		for i := range answers {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+programs[i%len(programs)].host+"/api/v1/app/users/me", nil)
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Authorization", "Bearer "+tokens[i%len(tokens)])
			running.Go(func() {
				<-ready
				answers[i] = read(client.Do(request))
			})
		}
		close(ready)
		running.Wait()
		return answers
	}
	for _, answer := range ask(40, s.token("bob"), s.token("carol")) { // then the programs have their connections
		if !answer.good() {
			t.Fatal(answer)
		}
	}

	var passed, refused, late, lateAndPassed int
	for _, answer := range ask(calls, s.token("alice")) {
		whole := answer.header.Get("X-RateLimit-Limit") == "60"
		if !whole {
			late++
		}
		switch {
		case !answer.complete() || answer.status != http.StatusOK && answer.status != http.StatusTooManyRequests:
			t.Errorf("a call is answered: %s", answer)
		case answer.status == http.StatusTooManyRequests:
			refused++
		case whole:
			passed++
		default:
			lateAndPassed++
		}
	}
	t.Logf("%d passed and %d were refused; for %d Redis was late, %d of them passed", passed, refused, late, lateAndPassed)
	if passed > limit || late == 0 && passed != limit || lateAndPassed > len(programs)*limit/2 {
		t.Errorf("want %d", limit)
	}
}
