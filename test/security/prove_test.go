package main

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

const events = `{"Action":"start","Package":"p"}
{"Action":"run","Package":"p","Test":"TestGood"}
{"Action":"output","Package":"p","Test":"TestGood","Output":"=== RUN   TestGood\n"}
{"Action":"pass","Package":"p","Test":"TestGood/part"}
{"Action":"pass","Package":"p","Test":"TestGood"}
{"Action":"fail","Package":"p","Test":"TestBad"}
{"Action":"skip","Package":"p","Test":"TestLazy"}
{"Action":"fail","Package":"p"}
`

func TestEventsAreRead(t *testing.T) {
	results, output, err := readEvents(strings.NewReader(events))
	want := map[string]string{"TestGood": "pass", "TestGood/part": "pass", "TestBad": "fail", "TestLazy": "skip"}
	if err != nil || !reflect.DeepEqual(results, want) || output != "=== RUN   TestGood\n" {
		t.Errorf("got %v, %q, %v", results, output, err)
	}
	if _, _, err := readEvents(strings.NewReader(events + "FAIL")); err == nil {
		t.Error("what is no event was read")
	}
}

func TestOnlyATestThatPassesProves(t *testing.T) {
	results := map[string]string{"TestGood": "pass", "TestBad": "fail", "TestLazy": "skip"}
	got := failures(results, []string{"TestGood", "TestBad", "TestLazy", "TestGone", "TestGood/gone"})
	want := []string{"TestBad (fail)", "TestLazy (skip)", "TestGone (did not run)", "TestGood/gone (did not run)"}
	if !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}

func TestATestRunsOnce(t *testing.T) {
	got := testsOf([]line{
		{Tests: map[string][]string{"b": {"TestTwo", "TestOne"}, "a": {"TestOne"}}},
		{Tests: map[string][]string{"b": {"TestTwo"}}},
	})
	if want := map[string][]string{"a": {"TestOne"}, "b": {"TestOne", "TestTwo"}}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
}

// A package that can't be built, or isn't there, proves nothing and says why.
func TestAPackageThatCannotRun(t *testing.T) {
	results, output := runTests(t.Context(), "testdata/gone", []string{"TestOne"})
	if len(results) != 0 || !strings.Contains(output, "testdata/gone") {
		t.Errorf("got %v, %q", results, output)
	}
}

func TestWhatIsPrinted(t *testing.T) {
	done := outcomes{"p": {"TestGood": "pass", "TestBad": "fail"}}
	lines := []line{
		{ID: "V1", Title: "good", Tests: map[string][]string{"p": {"TestGood"}}},
		{ID: "V2", Title: "bad", Tests: map[string][]string{"p": {"TestBad", "TestGood"}}},
		{ID: "V3", Title: "no matter", NotApplicable: "for a reason"},
		{ID: "V4", Title: "to come", Open: "some work"},
	}
	var checklist, asvs strings.Builder
	if broken := printChecklist(&checklist, lines, done); broken != 1 {
		t.Errorf("%d lines failed", broken)
	}
	for _, want := range []string{"pass  good\n          p TestGood\n", "FAIL  bad\n          p TestBad (fail)\n", "n/a   no matter\n", "open  to come\n"} {
		if !strings.Contains(checklist.String(), want) {
			t.Errorf("%q isn't in\n%s", want, checklist.String())
		}
	}
	if broken := printASVS(&asvs, lines, done); broken != 1 {
		t.Errorf("%d requirements failed", broken)
	}
	if want := "4 requirements: 1 proved, 1 not applicable, 1 open, 1 failed\n"; !strings.HasSuffix(asvs.String(), want) {
		t.Errorf("%q isn't at the end of\n%s", want, asvs.String())
	}
}
