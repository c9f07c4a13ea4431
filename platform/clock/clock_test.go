package clock_test

import (
	"sync"
	"testing"
	"time"

	"github.com/omnistack/omnistack/platform/clock"
)

// Both databases keep microseconds; a finer time would come back as another one.
func TestTimesAreUTCToTheMicrosecond(t *testing.T) {
	manual := clock.NewManual(time.Date(2026, 1, 2, 3, 4, 5, 6789, time.FixedZone("east", 3600)))
	advanced := clock.NewManual(time.Unix(0, 0))
	advanced.Advance(1500 * time.Nanosecond)
	for name, now := range map[string]time.Time{
		"system": clock.System{}.Now(), "manual": manual.Now(), "advanced": advanced.Now(),
	} {
		if now.Location() != time.UTC || now.Nanosecond()%1000 != 0 {
			t.Errorf("%s: %v", name, now)
		}
	}
	if want := time.Date(2026, 1, 2, 2, 4, 5, 6000, time.UTC); manual.Now() != want {
		t.Errorf("got %v, want %v", manual.Now(), want)
	}
}

func TestTheSystemClockTellsTheTime(t *testing.T) {
	before := time.Now().Truncate(time.Microsecond)
	now := clock.System{}.Now()
	if now.Before(before) || now.After(time.Now()) {
		t.Errorf("it is %v, says the clock, after %v", now, before)
	}
}

func TestTheManualClockStandsStillUntilAdvanced(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	manual := clock.NewManual(start)
	if first, second := manual.Now(), manual.Now(); first != start || second != start {
		t.Errorf("it moved by itself: %v, %v", first, second)
	}
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() { manual.Advance(time.Minute) })
	}
	all.Wait()
	if want := start.Add(100 * time.Minute); manual.Now() != want {
		t.Errorf("got %v, want %v", manual.Now(), want)
	}
}
