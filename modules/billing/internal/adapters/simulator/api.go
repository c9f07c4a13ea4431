package simulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// call is one operation of the API. It runs while nobody else changes the state.
type call func(s *Simulator, r *http.Request) (object, *failure)

// failure is an error of the API: https://docs.stripe.com/api/errors
type failure struct {
	status  int
	kind    string
	code    string
	param   string
	message string
}

func invalid(param, message string) *failure {
	return &failure{http.StatusBadRequest, "invalid_request_error", "parameter_invalid_empty", param, message}
}

func missing(kind, id string) *failure {
	return &failure{http.StatusNotFound, "invalid_request_error", "resource_missing", "id", fmt.Sprintf("No such %s: '%s'", kind, id)}
}

func (f *failure) wire() object {
	return object{"error": object{"type": f.kind, "code": f.code, "param": orNil(f.param), "message": f.message}}
}

// answer is what was answered to a call with an Idempotency-Key.
type answer struct {
	Asked  string    `json:"asked"`
	Status int       `json:"status"`
	Body   string    `json:"body"`
	At     time.Time `json:"at"`
}

// keysKept is how long such an answer is remembered, as by Stripe.
const keysKept = 24 * time.Hour

// maxForm is how many bytes a call may bring.
const maxForm = 1 << 20

// api makes a handler of a call.
func (s *Simulator) api(do call) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		knobs := s.state.Knobs
		s.mu.Unlock()
		select { // the client may not wait for it
		case <-r.Context().Done():
			return
		case <-time.After(time.Duration(knobs.SlowMS) * time.Millisecond):
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		if err := r.ParseForm(); err != nil {
			write(w, http.StatusBadRequest, invalid("", "The form can't be read.").wire())
			return
		}
		switch key, _, isBasic := r.BasicAuth(); {
		case knobs.Outage:
			failed := failure{http.StatusServiceUnavailable, "api_error", "", "", "There is an outage."}
			write(w, failed.status, failed.wire())
			return
		case r.Header.Get("Authorization") != "Bearer "+s.options.Key && (!isBasic || key != s.options.Key):
			failed := failure{http.StatusUnauthorized, "invalid_request_error", "", "", "Invalid API Key provided."}
			write(w, failed.status, failed.wire())
			return
		}
		var given answer
		if err := s.change(func() { given = s.once(do, w, r) }); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		writeText(w, given.Status, given.Body)
	}
}

// once does a call, and only once under an Idempotency-Key.
func (s *Simulator) once(do call, w http.ResponseWriter, r *http.Request) answer {
	w.Header().Set("Request-Id", s.newID("req"))
	key, asked := r.Header.Get("Idempotency-Key"), r.URL.Path+"?"+r.PostForm.Encode()
	keyed := key != "" && r.Method == http.MethodPost
	if earlier, found := s.state.Answers[key]; keyed && found && s.now().Sub(earlier.At) < keysKept {
		if earlier.Asked != asked {
			failed := failure{http.StatusBadRequest, "idempotency_error", "", "", "Keys for idempotent requests can only be used with the same parameters they were first used with."}
			return answer{Status: failed.status, Body: text(failed.wire())}
		}
		w.Header().Set("Idempotent-Replayed", "true")
		return earlier
	}
	given := answer{Asked: asked, Status: http.StatusOK, At: s.now()}
	done, failed := do(s, r)
	if failed != nil {
		given.Status, done = failed.status, failed.wire()
	}
	given.Body = text(done)
	if keyed {
		s.state.Answers[key] = given
	}
	return given
}

func text(wire any) string {
	var out bytes.Buffer
	_ = json.NewEncoder(&out).Encode(wire) // of maps, texts and numbers
	return out.String()
}

func write(w http.ResponseWriter, status int, wire object) { writeText(w, status, text(wire)) }

func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text)) // whoever hung up gets nothing
}

func (s *Simulator) unknown(r *http.Request) (object, *failure) {
	return nil, &failure{http.StatusNotFound, "invalid_request_error", "", "", "Unrecognized request URL (" + r.Method + ": " + r.URL.Path + ")."}
}

// nested returns the entries of a form such as metadata[user_id]=7, by what stands in the brackets.
func nested(r *http.Request, name string) map[string]string {
	found := map[string]string{}
	for key, values := range r.Form {
		if inner, is := strings.CutPrefix(key, name+"["); is && strings.HasSuffix(inner, "]") {
			found[strings.TrimSuffix(inner, "]")] = values[0]
		}
	}
	return found
}

// cut returns a page of a list, by limit and starting_after.
func cut[T any](r *http.Request, url string, all []T, idOf func(T) string, wire func(T) object) (object, *failure) {
	limit := 10
	if given := r.Form.Get("limit"); given != "" {
		var err error
		if limit, err = strconv.Atoi(given); err != nil || limit < 1 || limit > 100 {
			return nil, invalid("limit", "Invalid limit: it must be from 1 to 100.")
		}
	}
	if after := r.Form.Get("starting_after"); after != "" {
		for len(all) > 0 && idOf(all[0]) != after {
			all = all[1:]
		}
		if len(all) == 0 {
			return nil, invalid("starting_after", "No such object.")
		}
		all = all[1:]
	}
	more := len(all) > limit
	data := make([]object, 0, min(limit, len(all)))
	for _, one := range all[:min(limit, len(all))] {
		data = append(data, wire(one))
	}
	return list(url, data, more), nil
}
