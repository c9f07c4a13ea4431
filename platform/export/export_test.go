package export_test

import (
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/omnistack/omnistack/platform/export"
)

// folder is an Archive in memory.
type folder map[string]*strings.Builder

func (f folder) Create(name string) (io.Writer, error) {
	f[name] = new(strings.Builder)
	return f[name], nil
}

type full struct{}

var errFull = errors.New("full")

func (full) Create(string) (io.Writer, error)    { return full{}, nil }
func (full) Write([]byte) (written int, _ error) { return 0, errFull }

type closed struct{}

func (closed) Create(string) (io.Writer, error) { return nil, errFull }

// count returns a source of the numbers below most.
func count(most int, asked *int) func(after *int, limit int) ([]int, error) {
	return func(after *int, limit int) ([]int, error) {
		*asked++
		from := 0
		if after != nil {
			from = *after + 1
		}
		var values []int
		for value := from; value < min(from+limit, most); value++ {
			values = append(values, value)
		}
		return values, nil
	}
}

func TestAnArrayHasEverythingOnce(t *testing.T) {
	for most, reads := range map[int]int{0: 1, 1: 1, 499: 1, 500: 2, 501: 2, 1700: 4} {
		archive, asked := folder{}, 0
		if err := export.Array(archive, "numbers.json", count(most, &asked)); err != nil {
			t.Fatal(err)
		}
		got, want := []int{}, []int{}
		for value := range most {
			want = append(want, value)
		}
		if err := json.Unmarshal([]byte(archive["numbers.json"].String()), &got); err != nil || !slices.Equal(got, want) {
			t.Errorf("%d numbers: got %d, %v", most, len(got), err)
		}
		if asked != reads {
			t.Errorf("%d numbers were read in %d batches, want %d", most, asked, reads)
		}
	}
}

func TestTextIsWrittenAsItIs(t *testing.T) {
	archive := folder{}
	if err := export.Value(archive, "a.json", map[string]string{"name": "<Ünï & 🚀>"}); err != nil {
		t.Fatal(err)
	}
	if got := archive["a.json"].String(); got != `{"name":"<Ünï & 🚀>"}`+"\n" {
		t.Errorf("got %s", got)
	}
}

func TestWhatFailsEndsIt(t *testing.T) {
	broken := errors.New("broken")
	asked := 0
	failing := func(*int, int) ([]int, error) { return nil, broken }
	for name, test := range map[string]struct{ got, want error }{
		"the source":         {export.Array(folder{}, "a", failing), broken},
		"a full disk":        {export.Array(full{}, "a", count(5000, &asked)), errFull},
		"a full disk, late":  {export.Array(full{}, "a", count(1, &asked)), errFull},
		"a full disk, empty": {export.Array(full{}, "a", count(0, &asked)), errFull},
		"a full disk, value": {export.Value(full{}, "a", 1), errFull},
		"no array":           {export.Array(closed{}, "a", count(1, &asked)), errFull},
		"no value":           {export.Value(closed{}, "a", 1), errFull},
	} {
		if !errors.Is(test.got, test.want) {
			t.Errorf("%s: got %v", name, test.got)
		}
	}
}
