package app_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/omnistack/omnistack/modules/ai/internal/app"
	"github.com/omnistack/omnistack/modules/ai/internal/domain"
	"github.com/omnistack/omnistack/platform/clock"
)

// fake is a provider that does what a test says, call by call, and the last of it from then on.
type fake struct {
	mu    sync.Mutex
	does  []func(ctx context.Context, sink app.Sink) error
	asked int
}

func (f *fake) Generate(ctx context.Context, call *domain.Call, sink app.Sink) (domain.Result, error) {
	f.mu.Lock()
	do := f.does[min(f.asked, len(f.does)-1)]
	f.asked++
	f.mu.Unlock()
	return domain.Result{Model: call.Model.ID}, do(ctx, sink)
}

// does returns what a provider does that answers well, with one piece where it is listened to.
func well(_ context.Context, sink app.Sink) error {
	if sink != nil {
		return sink.Text("Hello")
	}
	return nil
}

func fails(reason domain.Reason) func(context.Context, app.Sink) error { return failsFor(reason, 0) }

func failsFor(reason domain.Reason, after time.Duration) func(context.Context, app.Sink) error {
	return func(context.Context, app.Sink) error {
		return &domain.Failure{Provider: "any", Reason: reason, RetryAfter: after}
	}
}

// within returns what a provider does that fails when something has come.
func within(reason domain.Reason, piece func(app.Sink) error) func(context.Context, app.Sink) error {
	return func(_ context.Context, sink app.Sink) error {
		if err := piece(sink); err != nil {
			return err
		}
		return &domain.Failure{Provider: "any", Reason: reason}
	}
}

type does = []func(context.Context, app.Sink) error

// scene is a gateway to the providers one and two, whose models are called as they are.
type scene struct {
	*app.Gateway
	one, two *fake
	clock    *clock.Manual
	waited   []time.Duration // below zero when for any part of it
	waits    error           // what waiting says
}

func newScene(one, two does) *scene {
	s := &scene{one: &fake{does: one}, two: &fake{does: two}, clock: clock.NewManual(time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC))}
	s.Gateway = app.NewGateway(map[string]app.Provider{"one": s.one, "two": s.two}, s.clock, s)
	return s
}

// For and UpTo say that they waited.
func (s *scene) For(_ context.Context, long time.Duration) error {
	s.waited = append(s.waited, long)
	return s.waits
}

func (s *scene) UpTo(_ context.Context, longest time.Duration) error {
	s.waited = append(s.waited, -longest)
	return s.waits
}

func (s *scene) call(t *testing.T, sink app.Stream) (app.Answered, error) {
	t.Helper()
	return s.Generate(t.Context(), domain.Call{}, []domain.Model{{ID: "one", Provider: "one"}, {ID: "none", Provider: "none"}, {ID: "two", Provider: "two"}}, sink)
}

// sink keeps how much came.
type sink struct {
	starts int
	pieces int
	err    error
}

func (s *sink) Start(domain.Model) error    { s.starts++; return nil }
func (s *sink) Text(string) error           { s.pieces++; return s.err }
func (s *sink) Reasoning(string) error      { s.pieces++; return s.err }
func (s *sink) Tool(domain.ToolDelta) error { s.pieces++; return s.err }

func reasonOf(err error) domain.Reason {
	failure, _ := errors.AsType[*domain.Failure](err)
	if failure == nil {
		return ""
	}
	return failure.Reason
}

func TestTheFirstThatCanAnswers(t *testing.T) {
	for name, test := range map[string]struct {
		one, two   does
		model      string
		attempts   int
		reason     domain.Reason
		one2, two2 int // how often each was asked
	}{
		"the first":                 {does{well}, does{well}, "one", 1, "", 1, 0},
		"after another try":         {does{fails(domain.Broken), well}, does{well}, "one", 2, "", 2, 0},
		"another, after two tries":  {does{fails(domain.Overloaded)}, does{well}, "two", 3, "", 2, 1},
		"another, as a key is bad":  {does{fails(domain.KeyRefused)}, does{well}, "two", 2, "", 1, 1},
		"another, as it is gone":    {does{fails(domain.NoModel)}, does{well}, "two", 2, "", 1, 1},
		"another, as it is long":    {does{fails(domain.TooLong)}, does{well}, "two", 2, "", 1, 1},
		"after a short wait":        {does{failsFor(domain.RateLimited, 5*time.Second), well}, does{well}, "one", 2, "", 2, 0},
		"another, for a long wait":  {does{failsFor(domain.RateLimited, 6*time.Second), well}, does{well}, "two", 2, "", 1, 1},
		"nobody, as it is refused":  {does{fails(domain.Refused)}, does{well}, "one", 1, domain.Refused, 1, 0},
		"nobody, as nobody listens": {does{fails(domain.Cancelled)}, does{well}, "one", 1, domain.Cancelled, 1, 0},
		"nobody, as all fail":       {does{fails(domain.Broken)}, does{fails(domain.Late)}, "two", 4, domain.Late, 2, 2},
	} {
		for how, listener := range map[string]app.Stream{"streamed": &sink{}, "whole": nil} {
			s := newScene(test.one, test.two)
			answered, err := s.call(t, listener)
			if answered.Model.ID != test.model || answered.Attempts != test.attempts || reasonOf(err) != test.reason ||
				s.one.asked != test.one2 || s.two.asked != test.two2 {
				t.Errorf("%s, %s: %+v, %v; one was asked %d times, two %d", name, how, answered, err, s.one.asked, s.two.asked)
			}
			if err == nil && answered.Result.Model != test.model {
				t.Errorf("%s, %s: %+v", name, how, answered.Result)
			}
		}
	}
}

// TestWhatCameIsNotTakenBack proves that nobody else is asked once anything of an answer came, of whatever kind.
func TestWhatCameIsNotTakenBack(t *testing.T) {
	for name, piece := range map[string]func(app.Sink) error{
		"text":      func(s app.Sink) error { return s.Text("a") },
		"a thought": func(s app.Sink) error { return s.Reasoning("a") },
		"a tool":    func(s app.Sink) error { return s.Tool(domain.ToolDelta{}) },
	} {
		s, listener := newScene(does{within(domain.Broken, piece)}, does{well}), &sink{}
		if _, err := s.call(t, listener); reasonOf(err) != domain.Broken || listener.starts != 1 || listener.pieces != 1 || s.one.asked != 1 || s.two.asked != 0 {
			t.Errorf("%s: %v after %d pieces", name, err, listener.pieces)
		}
	}
	s, full := newScene(does{well}, does{well}), errors.New("full")
	if _, err := s.call(t, &sink{err: full}); !errors.Is(err, full) || s.one.asked != 1 || s.two.asked != 0 {
		t.Errorf("a listener's error: %v", err)
	}
}

func TestPauses(t *testing.T) {
	s := newScene(does{failsFor(domain.RateLimited, 3*time.Second), well, fails(domain.Broken), well}, does{well})
	for range 2 {
		if _, err := s.call(t, nil); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.waited) != 2 || s.waited[0] != 3*time.Second || s.waited[1] != -500*time.Millisecond {
		t.Errorf("it waited %v", s.waited)
	}
	s = newScene(does{fails(domain.Broken)}, does{well})
	s.waits = context.Canceled
	if _, err := s.call(t, nil); err != nil || s.one.asked != 1 {
		t.Errorf("a wait that ends: %v, asked %d times", err, s.one.asked)
	}
}

// TestWhoeverIsGoneIsNotAnsweredByOthers proves that a call ends with its context, not with the list of models.
func TestWhoeverIsGoneIsNotAnsweredByOthers(t *testing.T) {
	ctx, leave := context.WithCancel(t.Context())
	s := newScene(does{func(context.Context, app.Sink) error { leave(); return &domain.Failure{Reason: domain.KeyRefused} }}, does{well})
	_, err := s.Generate(ctx, domain.Call{}, []domain.Model{{ID: "one", Provider: "one"}, {ID: "two", Provider: "two"}}, nil)
	if reasonOf(err) != domain.KeyRefused || s.two.asked != 0 {
		t.Errorf("%v; two was asked %d times", err, s.two.asked)
	}
}

func TestNobodyCanAnswer(t *testing.T) {
	s := newScene(does{well}, does{well})
	_, err := s.Generate(t.Context(), domain.Call{}, []domain.Model{{ID: "x", Provider: "nobody"}}, nil)
	if reasonOf(err) != domain.NoModel || s.Usable("nobody") || !s.Usable("one") {
		t.Errorf("%v", err)
	}
}

// TestAnOutageIsNotAskedThreeTimesAsOften proves that few calls are tried again while all of them fail.
func TestAnOutageIsNotAskedThreeTimesAsOften(t *testing.T) {
	const calls = 1000
	s := newScene(does{fails(domain.Broken)}, does{fails(domain.Broken)})
	for i := range calls {
		model := domain.Model{ID: "m", Provider: "one"}
		model.ID += string(rune('a' + i)) // so that no breaker opens
		if _, err := s.Generate(t.Context(), domain.Call{}, []domain.Model{model}, nil); err == nil {
			t.Fatal("it answered")
		}
	}
	if again := s.one.asked - calls; again < calls/20 || again > calls/10+10 {
		t.Errorf("of %d calls %d were tried again", calls, again)
	}
}

// breaks is a scene of one provider alone.
func (s *scene) alone(t *testing.T) error {
	t.Helper()
	_, err := s.Generate(t.Context(), domain.Call{}, []domain.Model{{ID: "one", Provider: "one"}}, nil)
	return err
}

func TestABreakerOpensAndCloses(t *testing.T) {
	s := newScene(does{fails(domain.Broken)}, does{well})
	s.waits = context.Canceled // so that each call is one request
	for range 5 {
		if reasonOf(s.alone(t)) != domain.Broken {
			t.Fatal("it isn't asked")
		}
	}
	shut := func(when string) {
		t.Helper()
		before := s.one.asked
		if err := s.alone(t); reasonOf(err) != domain.Overloaded || s.one.asked != before {
			t.Errorf("%s: %v", when, err)
		}
	}
	shut("after five failures")
	if answered, err := s.call(t, nil); err != nil || answered.Model.ID != "two" || answered.Attempts != 1 {
		t.Errorf("another isn't asked at once: %+v, %v", answered, err)
	}
	for _, wait := range []int{15, 30, 60, 120, 120} {
		s.clock.Advance(time.Duration(wait-1) * time.Second)
		shut("before its time")
		s.clock.Advance(time.Second)
		if reasonOf(s.alone(t)) != domain.Broken {
			t.Fatalf("there is no trial after %d seconds", wait)
		}
		shut("after a trial that failed")
	}
	s.one.does = does{fails(domain.Refused), well, fails(domain.Broken)}
	s.one.asked = 0
	s.clock.Advance(2 * time.Minute)
	if reasonOf(s.alone(t)) != domain.Refused || s.alone(t) != nil {
		t.Fatal("a trial that says nothing isn't followed by another")
	}
	for range 5 {
		if reasonOf(s.alone(t)) != domain.Broken {
			t.Fatal("it didn't close")
		}
	}
	shut("after five failures more")
	s.clock.Advance(15 * time.Second)
	if reasonOf(s.alone(t)) != domain.Broken {
		t.Error("it doesn't begin with 15 seconds again")
	}
}

func TestWhenABreakerOpens(t *testing.T) {
	for name, test := range map[string]struct {
		calls int // until it opens; 0 when it doesn't within 100
		does  does
	}{
		"a key that is refused":  {1, does{fails(domain.KeyRefused)}},
		"five in a row":          {5, does{fails(domain.Late)}},
		"half of twenty":         {20, does{well, fails(domain.Broken)}},
		"less than half":         {0, does{well, well, fails(domain.Broken)}},
		"what callers do":        {0, does{fails(domain.Refused), fails(domain.TooLong), fails(domain.Cancelled), fails(domain.NoModel)}},
		"what the listener says": {0, does{func(context.Context, app.Sink) error { return errors.New("full") }}},
	} {
		s := newScene(nil, nil)
		s.waits = context.Canceled
		for range 100 {
			s.one.does = append(s.one.does, test.does...)
		}
		opened := 0
		for i := range 100 {
			if before := s.one.asked; reasonOf(s.alone(t)) == domain.Overloaded && s.one.asked == before {
				opened = i
				break
			}
		}
		if opened != test.calls {
			t.Errorf("%s: it opened after %d calls, want %d", name, opened, test.calls)
		}
	}
	// Half of twenty, but never within 30 seconds.
	s := newScene(nil, nil)
	s.waits = context.Canceled
	for range 50 {
		s.one.does = append(s.one.does, well, fails(domain.Broken))
	}
	for i := range 100 {
		s.clock.Advance(2 * time.Second)
		if reasonOf(s.alone(t)) == domain.Overloaded {
			t.Fatalf("it opened after %d slow calls", i)
		}
	}
}

// TestATrialIsOne proves that of many calls at once, when a breaker may close, one is made.
func TestATrialIsOne(t *testing.T) {
	trial, end := make(chan struct{}), make(chan struct{})
	s := newScene(does{fails(domain.KeyRefused), func(context.Context, app.Sink) error { close(trial); <-end; return nil }}, does{well})
	_ = s.alone(t)
	s.clock.Advance(15 * time.Second)
	done := make(chan error)
	go func() { done <- s.alone(t) }()
	<-trial
	for range 10 {
		if reasonOf(s.alone(t)) != domain.Overloaded {
			t.Error("another is made while the trial goes on")
		}
	}
	close(end)
	if err := <-done; err != nil || s.one.asked != 2 {
		t.Errorf("%v; asked %d times", err, s.one.asked)
	}
}

// TestAPanicOpensNothingForEver proves that a provider that panics in its trial gets another.
func TestAPanicOpensNothingForEver(t *testing.T) {
	s := newScene(does{fails(domain.KeyRefused), func(context.Context, app.Sink) error { panic("oh") }, well}, does{well})
	_ = s.alone(t)
	s.clock.Advance(15 * time.Second)
	func() {
		defer func() { _ = recover() }()
		_ = s.alone(t)
		t.Error("it didn't panic")
	}()
	s.clock.Advance(30 * time.Second)
	if err := s.alone(t); err != nil {
		t.Error(err)
	}
}
