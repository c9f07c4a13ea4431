package stripe

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// busy is a Stripe that is out of order.
type busy struct{ calls int }

func (b *busy) RoundTrip(request *http.Request) (*http.Response, error) {
	b.calls++
	if err := request.Context().Err(); err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: http.StatusServiceUnavailable, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(`{"error": {"type": "api_error"}}`)),
	}, nil
}

func TestWaits(t *testing.T) {
	for name, test := range map[string]struct {
		retries int
		leave   time.Duration // when the caller does; 0 for never
		calls   int
		took    time.Duration
	}{
		"no repeating":             {0, 0, 1, 0},
		"longer and longer":        {3, 0, 4, 3500 * time.Millisecond},
		"a caller leaves":          {30, 2 * time.Second, 3, 2 * time.Second},
		"a caller leaves at once":  {30, time.Millisecond, 1, time.Millisecond},
		"a caller leaves too late": {1, time.Hour, 2, 500 * time.Millisecond},
		"a caller with patience":   {10, 100 * time.Second, 8, 100 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, leave := context.WithCancel(t.Context())
				defer leave()
				if test.leave > 0 {
					defer time.AfterFunc(test.leave, leave).Stop()
				}
				request, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://api.stripe.com/v1/customers", strings.NewReader("a=b"))
				if err != nil {
					t.Fatal(err)
				}
				stripe, begun := &busy{}, time.Now()
				answer, err := patient{stripe, test.retries}.RoundTrip(request)
				if err != nil {
					t.Fatal(err)
				}
				defer answer.Body.Close()
				if took := time.Since(begun); answer.StatusCode != http.StatusServiceUnavailable || stripe.calls != test.calls || took != test.took {
					t.Errorf("%d after %d calls and %s", answer.StatusCode, stripe.calls, took)
				}
			})
		})
	}
}
