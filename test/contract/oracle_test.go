package contract_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// answer is what came of a request.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) String() string { return fmt.Sprintf("%d %v\n%.2000s", a.status, a.header, a.body) }

// judge returns what is wrong with the answer to a request: what the document of the operation doesn't say, and what no answer
// may be.
func (o *operation) judge(r *request, a answer) []string {
	var wrong []string
	report := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	if a.status >= 500 {
		report("a client can't be the reason of %d", a.status)
	}
	if a.status < 400 && r.broken != "" {
		report("%d for what must be refused: %s", a.status, r.broken)
	}
	if r.broken == "" && !r.odd && slices.Contains([]int{400, 405, 413, 415}, a.status) {
		report("%d for a request that the document allows", a.status)
	}
	if a.header.Get("X-Request-ID") == "" {
		report("no X-Request-ID")
	}
	if r.lost {
		return append(wrong, judgeLost(a)...)
	}

	documented, known := o.answers[a.status]
	if !known {
		report("the status %d isn't documented", a.status)
		return wrong
	}
	for _, name := range documented.headers {
		if a.header.Get(name) == "" {
			report("no header %s, which %d has by the document", name, a.status)
		}
	}
	return append(wrong, documented.judgeBody(r, a)...)
}

// judgeBody returns what is wrong with the body of an answer.
func (d documentedAnswer) judgeBody(r *request, a answer) []string {
	media, _, _ := mime.ParseMediaType(a.header.Get("Content-Type"))
	switch {
	case len(d.bodies) == 0 || r.method == http.MethodHead:
		if len(a.body) > 0 {
			return []string{fmt.Sprintf("a body where %d of %s has none", a.status, r.method)}
		}
		return nil
	case d.bodies[media] == nil:
		return []string{fmt.Sprintf("the body is of the type %q, which isn't documented for %d", a.header.Get("Content-Type"), a.status)}
	case media == "text/event-stream":
		a.body = eventsOf(a.body)
	case media != "application/json":
		return nil
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(a.body))
	if err != nil {
		return []string{"the body is no JSON: " + err.Error()}
	}
	if err := d.bodies[media].Validate(value); err != nil {
		return []string{"the body doesn't fit its schema: " + err.Error()}
	}
	if d.code != "" {
		return judgeError(a, d.code)
	}
	return nil
}

// eventsOf returns a stream as the document describes it, an array of its events, in JSON.
func eventsOf(stream []byte) []byte {
	var events []string
	for event := range strings.SplitSeq(string(stream), "\n\n") {
		if data, nameless := strings.CutPrefix(event, "data: "); nameless { // OpenAI's
			if data == "[DONE]" {
				data = strconv.Quote(data)
			}
			events = append(events, fmt.Sprintf(`{"data": %s}`, data))
			continue
		}
		name, data, _ := strings.Cut(event, "\ndata: ")
		if name, named := strings.CutPrefix(name, "event: "); named {
			events = append(events, fmt.Sprintf(`{"event": %q, "data": %s}`, name, data))
		}
	}
	return []byte("[" + strings.Join(events, ", ") + "]")
}

// judgeLost returns what is wrong with the answer to a request for what isn't there.
func judgeLost(a answer) []string {
	switch a.status {
	case http.StatusNotFound:
		return judgeError(a, "NOT_FOUND")
	case http.StatusMethodNotAllowed:
		if a.header.Get("Allow") == "" {
			return []string{"405 without the header Allow"}
		}
		return judgeError(a, "METHOD_NOT_ALLOWED")
	}
	return []string{fmt.Sprintf("%d where there is nothing", a.status)}
}

// judgeError returns what is wrong with an error, which is the envelope with this code and nothing more.
func judgeError(a answer, code string) []string {
	var envelope struct {
		Error struct {
			Code      string         `json:"code"`
			Message   string         `json:"message"`
			Details   map[string]any `json:"details"`
			RequestID string         `json:"request_id"`
			Type      any            `json:"type"`  // below /v1
			Param     any            `json:"param"` // below /v1
		} `json:"error"`
	}
	decoder := json.NewDecoder(bytes.NewReader(a.body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&envelope); err != nil {
		return []string{"the error isn't in the envelope: " + err.Error()}
	}
	e := envelope.Error
	if e.Code != code || e.Message == "" || e.Details == nil || e.RequestID != a.header.Get("X-Request-ID") {
		return []string{fmt.Sprintf("the error should have the code %s, a message, details and the request's id: %+v", code, e)}
	}
	return nil
}
