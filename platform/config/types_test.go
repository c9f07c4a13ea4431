package config_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/omnistack/omnistack/platform/config"
)

func TestParseRate(t *testing.T) {
	for text, want := range map[string]config.Rate{
		"60/minute":   {Requests: 60, Per: time.Minute},
		"1/second":    {Requests: 1, Per: time.Second},
		"1000/hour":   {Requests: 1000, Per: time.Hour},
		"1000000/day": {Requests: 1_000_000, Per: 24 * time.Hour},
	} {
		got, err := config.ParseRate(text)
		if err != nil || got != want || got.String() != text {
			t.Errorf("%s: %+v (%s), %v", text, got, got, err)
		}
	}
	for _, text := range []string{
		"", "60", "60/", "/minute", "60/min", "60/m", "60/minutes", "60/Minute", "60 / minute", "60/minute/2", "0/minute",
		"-1/minute", "+1/minute", "1.5/minute", "1e3/minute", "1000001/minute", "99999999999999999999/minute", "60 per minute",
	} {
		if got, err := config.ParseRate(text); err == nil {
			t.Errorf("%q is read as %s", text, got)
		}
	}
	if got := (config.Rate{Requests: 3, Per: 2 * time.Second}).String(); got != "3/2s" {
		t.Errorf("a rate without a name is shown as %s", got)
	}
}

func FuzzRate(f *testing.F) {
	for _, seed := range []string{"60/minute", "60/min", "1/second", "007/day", "+1/hour", "/", "1//day", "60/minute\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		rate, err := config.ParseRate(text)
		if err != nil {
			if rate != (config.Rate{}) {
				t.Errorf("%q: %+v beside an error", text, rate)
			}
			return
		}
		if rate.Requests < 1 || rate.Per < time.Second {
			t.Errorf("%q: %+v", text, rate)
		}
		again, err := config.ParseRate(rate.String())
		if err != nil || again != rate {
			t.Errorf("%q: %s reads as %+v, %v", text, rate, again, err)
		}
	})
}

func TestParseSize(t *testing.T) {
	for _, c := range []struct {
		text  string
		want  config.Size
		shown string
	}{
		{"0", 0, "0"},
		{"1048576", 1 << 20, "1MiB"},
		{"1MiB", 1 << 20, "1MiB"},
		{"1mib", 1 << 20, "1MiB"},
		{"2MB", 2_000_000, "2MB"},
		{"512KB", 512_000, "500KiB"},
		{"512 KiB", 512 << 10, "512KiB"},
		{"10B", 10, "10"},
		{"1500", 1500, "1500"},
		{"5GiB", 5 << 30, "5GiB"},
		{"7TB", 7e12, "7TB"},
	} {
		got, err := config.ParseSize(c.text)
		if err != nil || got != c.want || got.String() != c.shown {
			t.Errorf("%q: %d shown as %s, %v", c.text, int64(got), got, err)
		}
		if again, err := config.ParseSize(got.String()); err != nil || again != got {
			t.Errorf("%s doesn't read back: %d, %v", got, int64(again), err)
		}
	}
	for _, text := range []string{"", "B", "MiB", "-1", "+1", "1.5MiB", "1M", "1 Mi B", "ten", "9223372036854775808", "9000000TiB", "0x10"} {
		if got, err := config.ParseSize(text); err == nil {
			t.Errorf("%q is read as %d", text, int64(got))
		}
	}
}

func TestEnvironments(t *testing.T) {
	for environment, onDesk := range map[config.Environment]bool{
		config.Local: true, config.Test: true, config.Staging: false, config.Production: false,
	} {
		if !environment.Known() || environment.OnDesk() != onDesk {
			t.Errorf("%s", environment)
		}
	}
	if config.Environment("prod").Known() {
		t.Error("prod is not an environment")
	}
}

func TestTypesAsJSON(t *testing.T) {
	text, err := json.Marshal(struct {
		Key, None config.Secret
		Rate      config.Rate
		Size      config.Size
	}{"canary", "", config.Rate{Requests: 5, Per: time.Minute}, 1 << 20})
	want := `{"Key":"****","None":"","Rate":"5/minute","Size":"1MiB"}`
	if err != nil || string(text) != want || strings.Contains(string(text), "canary") {
		t.Errorf("%s, %v", text, err)
	}
}
