package langchain

import (
	"bytes"
	"io"
)

// event is one event of a stream. Its data is good until the next one is read.
type event struct {
	name string // empty when it has none
	data []byte
}

// maxEvent is how many bytes the lines of an event may have.
const maxEvent = 4 << 20

// events reads server-sent events as browsers do: lines end with LF, CR or CRLF, comments are skipped, several lines of data
// are joined, and an event that the stream ends in is none.
// Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
type events struct {
	source     io.Reader
	buffer     []byte // of which [start:end] isn't read yet
	start, end int
	begun      bool // the first line is behind us
	crlf       bool // the last line ended with CR: a LF that follows belongs to it
	data       []byte
}

func newEvents(source io.Reader) *events { return &events{source: source, buffer: make([]byte, 4<<10)} }

// next returns the next event. The error is io.EOF at the stream's end, errTooLong for an event of more than maxEvent, or
// the source's.
func (s *events) next() (event, error) {
	var e event
	s.data = s.data[:0]
	some := false
	for {
		line, err := s.line()
		if err != nil {
			return event{}, err
		}
		if len(line) == 0 {
			if some {
				e.data = s.data
				return e, nil
			}
			e.name = ""
			continue
		}
		field, value, _ := bytes.Cut(line, []byte{':'})
		value = bytes.TrimPrefix(value, []byte{' '})
		switch string(field) {
		case "data":
			if some {
				s.data = append(s.data, '\n')
			}
			some = true
			if len(s.data)+len(value) > maxEvent {
				return event{}, errTooLong
			}
			s.data = append(s.data, value...)
		case "event":
			e.name = string(value)
		}
	}
}

// more tells whether a whole event is at hand already.
func (s *events) more() bool {
	unread := s.buffer[s.start:s.end]
	return bytes.Contains(unread, []byte("\n\n")) || bytes.Contains(unread, []byte("\n\r\n")) || bytes.Contains(unread, []byte("\r\r"))
}

// line returns the next line, without its end.
func (s *events) line() ([]byte, error) {
	seen := 0 // of the bytes that aren't read yet, those that no line ends in
	for {
		if s.crlf && s.start < s.end {
			s.crlf = false
			if s.buffer[s.start] == '\n' {
				s.start++
			}
		}
		if seen < s.end-s.start {
			if i := bytes.IndexAny(s.buffer[s.start+seen:s.end], "\r\n"); i >= 0 {
				line := s.buffer[s.start : s.start+seen+i]
				s.crlf = s.buffer[s.start+seen+i] == '\r'
				s.start += seen + i + 1
				if !s.begun {
					s.begun = true
					line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
				}
				return line, nil
			}
			seen = s.end - s.start
		}
		if err := s.fill(); err != nil {
			return nil, err
		}
	}
}

// fill reads more of the source.
func (s *events) fill() error {
	if s.start > 0 {
		s.end = copy(s.buffer, s.buffer[s.start:s.end])
		s.start = 0
	}
	if s.end == len(s.buffer) {
		if s.end > maxEvent {
			return errTooLong
		}
		s.buffer = append(s.buffer, make([]byte, len(s.buffer))...)
	}
	for range 100 { // a reader may return nothing now and then, but not for ever
		n, err := s.source.Read(s.buffer[s.end:])
		s.end += n
		if n > 0 {
			return nil // an error comes again
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}
