package langchain

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// read returns the events of a stream as "name=data", and how it ended.
func read(source io.Reader) (got []string, err error) {
	stream := newEvents(source)
	for {
		e, err := stream.next()
		if err != nil {
			return got, err
		}
		got = append(got, e.name+"="+string(e.data))
	}
}

func TestEventsAreReadAsBrowsersDo(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		want []string
	}{
		"nothing":            {"", nil},
		"one":                {"data: a\n\n", []string{"=a"}},
		"CRLF":               {"event: e\r\ndata: a\r\n\r\ndata: b\r\n\r\n", []string{"e=a", "=b"}},
		"CR":                 {"event: e\rdata: a\r\rdata: b\r\r", []string{"e=a", "=b"}},
		"lines of data":      {"data: a\ndata: b\n\n", []string{"=a\nb"}},
		"empty data":         {"data\n\ndata:\n\n", []string{"=", "="}},
		"one space":          {"data:  a\n\ndata:a\n\n", []string{"= a", "=a"}},
		"comments":           {": ping\n\ndata: a\n: more\n\n", []string{"=a"}},
		"a name, no data":    {"event: e\n\ndata: a\n\n", []string{"=a"}},
		"other fields":       {"id: 1\nretry: 5\nwhat: ever\ndata: a\n\n", []string{"=a"}},
		"a mark of order":    {"\xef\xbb\xbfdata: a\n\n", []string{"=a"}},
		"cut off":            {"data: a\n\ndata: b\n", []string{"=a"}},
		"cut within a line":  {"data: a\n\ndata: b", []string{"=a"}},
		"empty lines":        {"\n\n\ndata: a\n\n\n\n", []string{"=a"}},
		"more than a buffer": {"data: " + strings.Repeat("a", 10_000) + "\n\ndata: b\n\n", []string{"=" + strings.Repeat("a", 10_000), "=b"}},
	} {
		for how, source := range map[string]func() io.Reader{
			"at once":       func() io.Reader { return strings.NewReader(test.text) },
			"byte by byte":  func() io.Reader { return iotest.OneByteReader(strings.NewReader(test.text)) },
			"half by half":  func() io.Reader { return iotest.HalfReader(strings.NewReader(test.text)) },
			"with its end":  func() io.Reader { return iotest.DataErrReader(strings.NewReader(test.text)) },
			"half with end": func() io.Reader { return iotest.DataErrReader(iotest.HalfReader(strings.NewReader(test.text))) },
		} {
			if got, err := read(source()); !slices.Equal(got, test.want) || !errors.Is(err, io.EOF) {
				t.Errorf("%s, %s: %.100q, %v", name, how, got, err)
			}
		}
	}
}

func TestAnEventHasAnEnd(t *testing.T) {
	line := "data: " + strings.Repeat("a", 1<<20) + "\n"
	if got, err := read(strings.NewReader(line + "\n")); !errors.Is(err, io.EOF) || len(got) != 1 || len(got[0]) != 1<<20+1 {
		t.Errorf("a line of 1 MiB: %d events, %v", len(got), err)
	}
	for name, text := range map[string]string{"one line": "data: " + strings.Repeat("a", 9<<20), "many lines": strings.Repeat(line, 5)} {
		if _, err := read(strings.NewReader(text)); !errors.Is(err, errTooLong) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := read(strings.NewReader("")); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	if _, err := read(nothing{}); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("a source that gives nothing: %v", err)
	}
}

// nothing is a source that has nothing, and doesn't end.
type nothing struct{}

func (nothing) Read([]byte) (int, error) { return 0, nil }

// FuzzEvents proves that a stream is read the same however it is cut, and never without an end.
func FuzzEvents(f *testing.F) {
	for _, text := range []string{
		"data: a\n\n", "event: e\r\ndata: a\r\n\r\n", ": c\n\ndata\n\n", "data: a\rdata: b\r\r\n", "\xef\xbb\xbfdata: x\n\n", "\r\n\r\r\n\n",
	} {
		f.Add(text, 3)
	}
	f.Fuzz(func(t *testing.T, text string, size int) {
		whole, err := read(strings.NewReader(text))
		if !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		size = 1 + max(0, size)%7
		pieces, err := read(inPieces{strings.NewReader(text), size})
		if !errors.Is(err, io.EOF) || !slices.Equal(whole, pieces) {
			t.Errorf("in pieces of %d it is %q, else %q (%v)", size, pieces, whole, err)
		}
		// An event has lines of data, so there are no more events than those.
		if lines := strings.Count(text, "data"); len(whole) > lines {
			t.Errorf("%d events of %d lines", len(whole), lines)
		}
	})
}

type inPieces struct {
	io.Reader
	size int
}

func (p inPieces) Read(b []byte) (int, error) { return p.Reader.Read(b[:min(len(b), p.size)]) }
