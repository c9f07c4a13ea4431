package main

import (
	"strings"
	"testing"
	"time"
)

func TestExceptionsHaveTheirForm(t *testing.T) {
	for _, e := range mustDecode[exception](t, exceptionsText) {
		if err := e.check(); err != nil {
			t.Error(err)
		}
	}
	day := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	good := exception{Module: "example.com/a", Finding: "deprecated", Reason: "for a while", Noted: day, Review: day.AddDate(1, 0, 0)}
	if err := good.check(); err != nil {
		t.Error(err)
	}
	for name, spoil := range map[string]func(*exception){
		"no module":           func(e *exception) { e.Module = "" },
		"no reason":           func(e *exception) { e.Reason = " " },
		"no finding":          func(e *exception) { e.Finding = "old" },
		"no day":              func(e *exception) { e.Noted = time.Time{} },
		"no review":           func(e *exception) { e.Review = time.Time{} },
		"a review after ages": func(e *exception) { e.Review = day.AddDate(1, 0, 1) },
	} {
		bad := good
		spoil(&bad)
		if bad.check() == nil {
			t.Errorf("%s: was taken", name)
		}
	}
}

func TestModulesAreJudged(t *testing.T) {
	modules, err := decodeModules([]byte(`{"Path": "example.com/fine", "Version": "v1.0.0"}
		{"Path": "example.com/old", "Version": "v2.1.0", "Deprecated": "use v3"}
		{"Path": "example.com/bad", "Version": "v1.1.0", "Retracted": ["it loses data", "and more"]}`))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	later, past := now.AddDate(0, 1, 0), now.AddDate(0, 0, -1)
	except := func(module, finding string, review time.Time) exception {
		return exception{Module: module, Finding: finding, Review: review}
	}
	all := []exception{except("example.com/old", "deprecated", later), except("example.com/bad", "retracted", later)}
	for name, test := range map[string]struct {
		exceptions []exception
		want       []string
	}{
		"nothing is excepted":     {nil, []string{"example.com/old v2.1.0 is deprecated: use v3", "example.com/bad v1.1.0 is retracted: it loses data; and more"}},
		"all is excepted":         {all, nil},
		"of another finding":      {[]exception{except("example.com/old", "retracted", later), all[1]}, []string{"old v2.1.0 is deprecated", "take the exception away"}},
		"one that isn't used":     {append(all[:2:2], except("example.com/gone", "archived", later)), []string{"example.com/gone isn't used"}},
		"one that recovered":      {append(all[:2:2], except("example.com/fine", "deprecated", later)), []string{"example.com/fine isn't used or isn't deprecated"}},
		"one that is archived":    {append(all[:2:2], except("example.com/fine", "archived", later)), nil},
		"one that is looked over": {[]exception{all[0], except("example.com/bad", "retracted", past)}, []string{"example.com/bad is retracted and was to be looked at again on 2026-05-31"}},
	} {
		t.Run(name, func(t *testing.T) {
			wrong := judge(modules, test.exceptions, now)
			if len(wrong) != len(test.want) {
				t.Fatalf("got %q, want %q", wrong, test.want)
			}
			for i, want := range test.want {
				if !strings.Contains(wrong[i], want) {
					t.Errorf("got %q, want %q", wrong[i], want)
				}
			}
		})
	}
}
