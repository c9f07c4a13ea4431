package telemetry_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/omnistack/omnistack/platform/telemetry"
)

// serveMetrics serves them until the test ends, and returns where.
func serveMetrics(t *testing.T, metrics *telemetry.Metrics) string {
	t.Helper()
	address := make(chan string, 1)
	log := zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zapcore.EncoderConfig{}), zapcore.AddSync(addressed{address}), zap.InfoLevel))
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		metrics.Serve(ctx, "127.0.0.1:0", log)
	}()
	t.Cleanup(func() {
		stop()
		<-ended
	})
	return "http://" + <-address
}

// addressed takes the address out of the line that has one.
type addressed struct{ to chan string }

func (a addressed) Write(line []byte) (int, error) {
	if _, rest, found := bytes.Cut(line, []byte(`"address":"`)); found {
		address, _, _ := bytes.Cut(rest, []byte(`"`))
		a.to <- string(address)
	}
	return len(line), nil
}

func scrape(t *testing.T, method, url string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

func TestMetricsAreReadWhenTheyAreAskedFor(t *testing.T) {
	level, seen := 1.0, int64(7)
	metrics := telemetry.NewMetrics()
	metrics.Gauge("tank", "How full it is.", func() float64 { return level })
	metrics.Counts("birds_total", "Birds that were seen.", []string{"kind", "place"}, func(tell func(int64, ...string)) {
		tell(seen, "wren", "garden")
		tell(1, "owl", "barn")
	})
	url := serveMetrics(t, metrics)
	want := func(lines ...string) {
		t.Helper()
		status, body := scrape(t, "GET", url+"/metrics")
		for _, line := range lines {
			if !strings.Contains(body, "\n"+line+"\n") {
				t.Errorf("%d without the line %q:\n%s", status, line, body)
			}
		}
	}
	want("omnistack_tank 1", `omnistack_birds_total{kind="wren",place="garden"} 7`, `omnistack_birds_total{kind="owl",place="barn"} 1`,
		"# TYPE omnistack_tank gauge", "# TYPE omnistack_birds_total counter", "# TYPE go_goroutines gauge")
	level, seen = 0.25, 8
	want("omnistack_tank 0.25", `omnistack_birds_total{kind="wren",place="garden"} 8`)

	for path, status := range map[string]int{"/": 404, "/debug/pprof/": 404, "/metrics/": 404} {
		if got, _ := scrape(t, "GET", url+path); got != status {
			t.Errorf("%s is answered %d", path, got)
		}
	}
	if got, _ := scrape(t, "POST", url+"/metrics"); got != 405 {
		t.Errorf("a POST is answered %d", got)
	}
}

// A process that can't have the address goes on.
func TestAnAddressThatIsTaken(t *testing.T) {
	taken := strings.TrimPrefix(serveMetrics(t, telemetry.NewMetrics()), "http://")
	var out bytes.Buffer
	telemetry.NewMetrics().Serve(t.Context(), taken, telemetry.NewLogger(telemetry.LogOptions{Level: "WARNING"}, &out))
	if !strings.Contains(out.String(), "metrics aren't served") {
		t.Errorf("it says %s", out.String())
	}
}
