//scaffold:needs ai billing

package api

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/testkit"
	"github.com/omnistack/omnistack/test/apptest"
)

// chunks is how many pieces a streamed answer of the benchmark has.
const chunks = 200

// quick is a provider that answers at once: 900 bytes, or a stream of pieces, each of which it sends by itself.
func quick(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if !bytes.Contains(body, []byte(`"stream":true`)) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"id":"c1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":%q},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":150,"total_tokens":157}}`,
			strings.Repeat("word ", 150))
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	for range chunks {
		fmt.Fprintf(w, piece, `"word "`)
		w.(http.Flusher).Flush()
	}
	fmt.Fprint(w, lastPieces)
}

// BenchmarkAI measures what a call of a model costs through the whole product, token, limiter, budget and ledger included, beside
// the same call of the provider itself. Client and provider are in the process too, so that the direct call is the floor: cpu-µs is
// what is above it, and added-ms how much longer the median of eight callers waits.
func BenchmarkAI(b *testing.B) {
	provider := httptest.NewServer(http.HandlerFunc(quick))
	b.Cleanup(provider.Close)
	for _, engine := range testkit.Engines() {
		app := apptest.Start(b, engine, "OPENAI_API_KEY=sk-any", "OPENAI_BASE_URL="+provider.URL+"/v1", "RATE_LIMIT_ENABLED=true",
			"RATE_LIMIT_AI=1000000/second", "RATE_LIMIT_DEFAULT=1000000/second", "LOG_LEVEL=ERROR")
		token := app.Token(b, auth.DevClaims{Subject: "alice"})
		for _, stream := range []bool{false, true} {
			name := "whole"
			if stream {
				name = fmt.Sprintf("stream-%d", chunks)
			}
			body := fmt.Sprintf(`{"model":"openai/gpt-4o","messages":[{"role":"user","content":"Say hello"}],"stream":%t}`, stream)
			b.Run(string(engine)+"/"+name, func(b *testing.B) {
				floorCPU, floorWait := measure(b, provider.URL+chatCompletions, token, body)
				cpu, wait := measure(b, app.URL+chatCompletions, token, body)
				b.ReportMetric(cpu-floorCPU, "cpu-µs/call")
				b.ReportMetric(floorCPU, "floor-cpu-µs/call")
				b.ReportMetric(float64((wait-floorWait).Microseconds())/1000, "added-ms")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

// measure makes b.N calls by eight callers, and returns the CPU of the process for each, in microseconds, and the median wait.
func measure(b *testing.B, url, token, body string) (cpu float64, wait time.Duration) {
	b.Helper()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
	defer client.CloseIdleConnections()
	var mu sync.Mutex
	waits := make([]time.Duration, 0, b.N)
	call := func() {
		began := time.Now()
		request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, url, strings.NewReader(body))
		if err != nil {
			b.Error(err)
			return
		}
		request.Header.Set("Authorization", "Bearer "+token)
		request.Header.Set("Content-Type", "application/json")
		answer, err := client.Do(request)
		if err != nil {
			b.Error(err)
			return
		}
		said, err := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if err != nil || answer.StatusCode != http.StatusOK || !bytes.Contains(said, []byte("word ")) {
			b.Errorf("%d %.200s, %v", answer.StatusCode, said, err)
			return
		}
		mu.Lock()
		waits = append(waits, time.Since(began))
		mu.Unlock()
	}
	call() // connections, statements
	before := used(b)
	numbers := make(chan struct{})
	var working sync.WaitGroup
	for range 8 {
		working.Go(func() {
			for range numbers {
				call()
			}
		})
	}
	for range b.N {
		numbers <- struct{}{}
	}
	close(numbers)
	working.Wait()
	took := used(b) - before
	slices.Sort(waits)
	if len(waits) == 0 {
		b.FailNow()
	}
	return float64(took.Microseconds()) / float64(b.N), waits[len(waits)/2]
}

// used returns the CPU that the process took so far.
func used(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
