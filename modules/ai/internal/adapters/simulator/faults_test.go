package simulator_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/omnistack/omnistack/modules/ai/internal/adapters/simulator"
)

func TestRefusals(t *testing.T) {
	s := simulator.New(simulator.Options{})
	const user = `{"role":"user","content":"Hello"}`
	for name, test := range map[string]struct {
		path, body string
		status     int
		kind, code string
	}{
		"malformed":             {chat, `{"model":`, 400, "invalid_request_error", ""},
		"no object":             {chat, `[]`, 400, "invalid_request_error", "invalid_type"},
		"no model":              {chat, `{"messages":[` + user + `]}`, 400, "invalid_request_error", ""},
		"no messages":           {chat, `{"model":"sim-small"}`, 400, "invalid_request_error", "missing_required_parameter"},
		"empty messages":        {chat, `{"model":"sim-small","messages":[]}`, 400, "invalid_request_error", "empty_array"},
		"messages no list":      {chat, `{"model":"sim-small","messages":"x"}`, 400, "invalid_request_error", "invalid_type"},
		"no content":            {chat, `{"model":"sim-small","messages":[{"role":"user"}]}`, 400, "invalid_request_error", "invalid_type"},
		"a strange role":        {chat, `{"model":"sim-small","messages":[{"role":"x","content":"y"}]}`, 400, "invalid_request_error", "invalid_value"},
		"a strange part":        {chat, `{"model":"sim-small","messages":[{"role":"user","content":[{"type":"x"}]}]}`, 400, "invalid_request_error", "invalid_value"},
		"an image elsewhere":    {chat, `{"model":"sim-small","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"file:///etc/passwd"}}]}]}`, 400, "invalid_request_error", "invalid_image_url"},
		"a stray result":        {chat, `{"model":"sim-small","messages":[` + user + `,{"role":"tool","tool_call_id":"a","content":"x"}]}`, 400, "invalid_request_error", ""},
		"a call left open":      {chat, `{"model":"sim-small","messages":[` + user + `,{"role":"assistant","tool_calls":[{"id":"a","function":{"name":"f","arguments":"{}"}}]},` + user + `]}`, 400, "invalid_request_error", ""},
		"unknown model":         {chat, with(chat, "gpt-4o", ""), 404, "invalid_request_error", "model_not_found"},
		"unknown fault":         {chat, with(chat, "sim-fault-none", ""), 404, "invalid_request_error", "model_not_found"},
		"a model for vectors":   {chat, with(chat, "sim-embedding", ""), 404, "invalid_request_error", ""},
		"temperature":           {chat, with(chat, "sim-reasoning", `"temperature":1`), 400, "invalid_request_error", "unsupported_parameter"},
		"too hot":               {chat, with(chat, "sim-small", `"temperature":2.1`), 400, "invalid_request_error", "decimal_above_max_value"},
		"no tokens":             {chat, with(chat, "sim-small", `"max_tokens":0`), 400, "invalid_request_error", "integer_below_min_value"},
		"two limits":            {chat, with(chat, "sim-small", `"max_tokens":5,"max_completion_tokens":5`), 400, "invalid_request_error", "invalid_parameter_combination"},
		"two choices":           {chat, with(chat, "sim-small", `"n":2`), 400, "invalid_request_error", "invalid_value"},
		"usage of no stream":    {chat, with(chat, "sim-small", `"stream_options":{"include_usage":true}`), 400, "invalid_request_error", ""},
		"five stops":            {chat, with(chat, "sim-small", `"stop":["a","b","c","d","e"]`), 400, "invalid_request_error", "invalid_type"},
		"no tools to choose":    {chat, with(chat, "sim-small", `"tool_choice":"auto"`), 400, "invalid_request_error", ""},
		"an unknown tool":       {chat, with(chat, "sim-small", `"tool_choice":{"type":"function","function":{"name":"x"}},`+openaiTools), 400, "invalid_request_error", "invalid_value"},
		"a strange format":      {chat, with(chat, "sim-small", `"response_format":{"type":"xml"}`), 400, "invalid_request_error", "invalid_value"},
		"a strange path":        {"/v1/completions", `{}`, 404, "invalid_request_error", ""},
		"no vectors of it":      {"/v1/embeddings", `{"model":"sim-small","input":"x"}`, 404, "invalid_request_error", "model_not_found"},
		"no input":              {"/v1/embeddings", `{"model":"sim-embedding"}`, 400, "invalid_request_error", "missing_required_parameter"},
		"empty input":           {"/v1/embeddings", `{"model":"sim-embedding","input":["a",""]}`, 400, "invalid_request_error", "invalid_type"},
		"too many dimensions":   {"/v1/embeddings", `{"model":"sim-embedding","input":"a","dimensions":3073}`, 400, "invalid_request_error", "invalid_value"},
		"a strange encoding":    {"/v1/embeddings", `{"model":"sim-embedding","input":"a","encoding_format":"hex"}`, 400, "invalid_request_error", "invalid_value"},
		"a: malformed":          {messages, `{"model":`, 400, "invalid_request_error", ""},
		"a: no model":           {messages, `{"max_tokens":5,"messages":[` + user + `]}`, 400, "invalid_request_error", ""},
		"a: no limit":           {messages, `{"model":"sim-small","messages":[` + user + `]}`, 400, "invalid_request_error", ""},
		"a: no messages":        {messages, `{"model":"sim-small","max_tokens":5}`, 400, "invalid_request_error", ""},
		"a: unknown model":      {messages, with(messages, "claude", ""), 404, "not_found_error", ""},
		"a: temperature":        {messages, with(messages, "sim-reasoning", `"temperature":1`), 400, "invalid_request_error", ""},
		"a: too hot":            {messages, with(messages, "sim-small", `"temperature":1.1`), 400, "invalid_request_error", ""},
		"a: system as a role":   {messages, `{"model":"sim-small","max_tokens":5,"messages":[{"role":"system","content":"x"}]}`, 400, "invalid_request_error", ""},
		"a: a stray result":     {messages, `{"model":"sim-small","max_tokens":5,"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"a"}]}]}`, 400, "invalid_request_error", ""},
		"a: a call left open":   {messages, `{"model":"sim-small","max_tokens":5,"messages":[` + user + `,{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":{}}]}]}`, 400, "invalid_request_error", ""},
		"a: no base64":          {messages, `{"model":"sim-small","max_tokens":5,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"?"}}]}]}`, 400, "invalid_request_error", ""},
		"a: a tool of no shape": {messages, with(messages, "sim-small", `"tools":[{"name":"f"}]`), 400, "invalid_request_error", ""},
		"a: an unknown tool":    {messages, with(messages, "sim-small", `"tool_choice":{"type":"tool","name":"x"},`+anthropicTools), 400, "invalid_request_error", ""},
	} {
		before := len(s.Calls())
		got := get(t, s, test.path, test.body)
		answer := parse(t, got.body)
		if got.status != test.status || answer.at("error", "type").text() != test.kind || answer.at("error", "code").text() != test.code || answer.at("error", "message").text() == "" {
			t.Errorf("%s: got %d %s", name, got.status, got.body)
		}
		if isAnthropic := answer.at("type").text() == "error"; isAnthropic != (test.path == messages) {
			t.Errorf("%s: got the error %s", name, got.body)
		}
		if calls := s.Calls(); test.status != 404 && (len(calls) != before+1 || calls[before].Fault != "refused" || calls[before].Finished || calls[before].Prompt != 0) {
			t.Errorf("%s: got the calls %+v", name, calls[before:])
		}
	}
}

func TestKeysAreAskedFor(t *testing.T) {
	s := simulator.New(simulator.Options{})
	for name, test := range map[string]struct {
		path   string
		change func(http.Header)
		status int
		kind   string
	}{
		"openai without":    {chat, func(h http.Header) { h.Del("Authorization") }, 401, "invalid_request_error"},
		"openai with Basic": {chat, func(h http.Header) { h.Set("Authorization", "Basic YTpi") }, 401, "invalid_request_error"},
		"openai with none":  {chat, func(h http.Header) { h.Set("Authorization", "Bearer ") }, 401, "invalid_request_error"},
		"anthropic without": {messages, func(h http.Header) { h.Del("X-Api-Key"); h.Del("Anthropic-Version") }, 401, "authentication_error"},
		"no key":            {messages, func(h http.Header) { h.Del("X-Api-Key") }, 401, "authentication_error"},
		"no version":        {messages, func(h http.Header) { h.Del("Anthropic-Version") }, 400, "invalid_request_error"},
	} {
		request := ask(t.Context(), "http://simulator", test.path, with(test.path, "sim-small", ""))
		test.change(request.Header)
		response, err := s.RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		if got := parse(t, string(body)).at("error", "type").text(); response.StatusCode != test.status || got != test.kind {
			t.Errorf("%s: got %d %s", name, response.StatusCode, body)
		}
	}
}

func TestModels(t *testing.T) {
	s := simulator.New(simulator.Options{})
	for _, path := range []string{chat, messages} {
		request := ask(t.Context(), "http://simulator", path, "")
		request.Method, request.URL.Path, request.Body = http.MethodGet, "/v1/models", nil
		response, err := s.RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		answer, names := parse(t, string(body)), []string{}
		for i := range answer.at("data").len() {
			names = append(names, answer.at("data", i, "id").text())
		}
		if response.StatusCode != http.StatusOK || !slices.Contains(names, "sim-small") || !slices.Contains(names, "sim-fault-eof") {
			t.Errorf("%s: got %d %s", path, response.StatusCode, body)
		}
		if isAnthropic := answer.at("first_id").text() != ""; isAnthropic != (path == messages) {
			t.Errorf("%s: got %s", path, body)
		}
	}
}

func TestFaultsThatGiveNoAnswer(t *testing.T) {
	eachDialect(t, func(t *testing.T, path string) {
		for fault, want := range map[string]struct {
			status     int
			retry, has string
		}{
			"429":         {429, "1", "rate_limit"},
			"429-odd":     {429, "soon", "rate_limit"},
			"401":         {401, "", map[string]string{chat: "invalid_api_key", messages: "authentication_error"}[path]},
			"400-context": {400, "", map[string]string{chat: "context_length_exceeded", messages: "prompt is too long"}[path]},
			"500":         {500, "", map[string]string{chat: "server_error", messages: "api_error"}[path]},
			"503":         {503, "", map[string]string{chat: "server_error", messages: "api_error"}[path]},
			"529":         {529, "", "overloaded_error"},
			"html":        {200, "", "<html>"},
			"html-502":    {502, "", "<html>"},
		} {
			for _, more := range []string{"", streamed(path)} {
				s := simulator.New(simulator.Options{})
				got := get(t, s, path, with(path, "sim-fault-"+fault, more))
				if got.status != want.status || got.header.Get("Retry-After") != want.retry || !strings.Contains(got.body, want.has) {
					t.Errorf("%s: got %+v", fault, got)
				}
				if isPage := strings.HasPrefix(got.header.Get("Content-Type"), "text/html"); isPage != strings.HasPrefix(fault, "html") {
					t.Errorf("%s: comes as %s", fault, got.header.Get("Content-Type"))
				}
				if call := last(t, s); call.Fault != fault || call.Finished || call.Prompt != 0 || call.Sent != 0 {
					t.Errorf("%s: got the call %+v", fault, call)
				}
			}
		}
		got := get(t, simulator.New(simulator.Options{}), path, with(path, "sim-fault-429-date", ""))
		if at, err := http.ParseTime(got.header.Get("Retry-After")); err != nil || got.status != 429 || time.Until(at) > 3*time.Second {
			t.Errorf("got %+v: %v", got, err)
		}
		s := simulator.New(simulator.Options{})
		var flaky []int
		for range 4 {
			flaky = append(flaky, get(t, s, path, with(path, "sim-fault-flaky", "")).status)
		}
		if !slices.Equal(flaky, []int{200, 500, 200, 500}) {
			t.Errorf("flaky answered %v", flaky)
		}
	})
}

func TestFaultsOfStreams(t *testing.T) {
	eachDialect(t, func(t *testing.T, path string) {
		for fault, test := range map[string]struct {
			isCut bool
			check func(body string, got said) bool
		}{
			"mid-error":  {true, func(_ string, got said) bool { return got.failed != "" }},
			"eof":        {true, func(_ string, got said) bool { return got.failed == "" }},
			"crlf":       {false, func(body string, _ said) bool { return strings.Count(body, "\r\n") == strings.Count(body, "\n") }},
			"comments":   {false, func(body string, _ said) bool { return strings.Contains(body, "\n: ") }},
			"bytes":      {false, func(string, said) bool { return true }},
			"big-line":   {false, func(body string, _ said) bool { return len(body) > 1<<20 }},
			"no-usage":   {false, func(body string, got said) bool { return got.prompt == 0 && !strings.Contains(body, "input_tokens") }},
			"wrong-type": {false, func(body string, _ said) bool { return strings.HasPrefix(body, "{") }},
			"empty-choices": {false, func(body string, _ said) bool {
				return strings.Count(body, `"choices":[]`)+strings.Count(body, `"text":""`) > 20
			}},
			"null-finish": {false, func(body string, got said) bool {
				return strings.Contains(body[strings.LastIndex(body, got.reason):], "null")
			}},
		} {
			s := simulator.New(simulator.Options{})
			answer := get(t, s, path, with(path, "sim-fault-"+fault, streamed(path)))
			if answer.err != nil {
				t.Fatalf("%s: %v", fault, answer.err)
			}
			got := said{}
			if fault == "wrong-type" {
				got = read(t, path, answer.body)
			} else {
				got = listen(t, path, strings.ReplaceAll(answer.body, ": still here\n\n", ""))
			}
			if got.isDone == test.isCut || !test.check(answer.body, got) {
				t.Errorf("%s: got %+v of %.2000s", fault, got, answer.body)
			}
			if test.isCut && words(got.text) != 3 || !test.isCut && words(got.text) < 20 {
				t.Errorf("%s: has %d words", fault, words(got.text))
			}
			call := last(t, s)
			if call.Fault != fault || call.Finished == test.isCut || call.Sent != words(got.text) || call.Completion != call.Sent || call.Prompt != 6 {
				t.Errorf("%s: got the call %+v for %d words", fault, call, words(got.text))
			}
			if !test.isCut && fault != "no-usage" && got.output != call.Completion {
				t.Errorf("%s: tells %d tokens, and counts %d", fault, got.output, call.Completion)
			}
		}
		garbage := get(t, simulator.New(simulator.Options{}), path, with(path, "sim-fault-garbage", streamed(path)))
		var odd int
		for _, e := range events(t, garbage.body) {
			if !json.Valid([]byte(e.data)) && e.data != "[DONE]" {
				odd++
				if (e.name != "") != (path == messages) {
					t.Errorf("garbage is called %q", e.name)
				}
			}
		}
		if odd != 1 {
			t.Errorf("garbage has %d events that are no JSON", odd)
		}
		torn := get(t, simulator.New(simulator.Options{}), path, with(path, "sim-fault-reset", streamed(path)))
		if !errors.Is(torn.err, io.ErrUnexpectedEOF) || words(listen(t, path, torn.body).text) != 3 {
			t.Errorf("reset ended by %v after %s", torn.err, torn.body)
		}
	})
}

func TestFaultsOfBodies(t *testing.T) {
	eachDialect(t, func(t *testing.T, path string) {
		for fault, test := range map[string]struct {
			finished bool
			check    func(reply) bool
		}{
			"mid-error":     {false, func(r reply) bool { return r.status == 500 && json.Valid([]byte(r.body)) }},
			"eof":           {false, func(r reply) bool { return r.err == nil && r.body != "" && !json.Valid([]byte(r.body)) }},
			"reset":         {false, func(r reply) bool { return errors.Is(r.err, io.ErrUnexpectedEOF) && r.body != "" }},
			"garbage":       {false, func(r reply) bool { return r.status == 200 && !json.Valid([]byte(r.body)) }},
			"wrong-type":    {true, func(r reply) bool { return strings.Contains(r.body, "data: {") }},
			"empty-choices": {false, func(r reply) bool { return words(read(t, path, r.body).text) == 0 }},
			"null-finish":   {true, func(r reply) bool { return read(t, path, r.body).reason == "" }},
			"no-usage":      {true, func(r reply) bool { return !strings.Contains(r.body, `"usage"`) }},
			"big-line":      {true, func(r reply) bool { return len(r.body) > 1<<20 }},
			"bytes":         {true, func(r reply) bool { return words(read(t, path, r.body).text) > 20 }},
			"crlf":          {true, func(r reply) bool { return words(read(t, path, r.body).text) > 20 }},
			"comments":      {true, func(r reply) bool { return words(read(t, path, r.body).text) > 20 }},
		} {
			s := simulator.New(simulator.Options{})
			got := get(t, s, path, with(path, "sim-fault-"+fault, ""))
			if call := last(t, s); !test.check(got) || call.Fault != fault || call.Finished != test.finished || (call.Sent > 0) != test.finished {
				t.Errorf("%s: got %.2000s, %v and the call %+v", fault, got.body, got.err, call)
			}
		}
	})
}

func TestEmbeddings(t *testing.T) {
	s := simulator.New(simulator.Options{})
	vectors := func(body string) [][]float64 {
		t.Helper()
		answer := parse(t, get(t, s, "/v1/embeddings", body).body)
		var all [][]float64
		for i := range answer.at("data").len() {
			var vector []float64
			one := answer.at("data", i, "embedding")
			if packed := one.text(); packed != "" {
				raw, err := base64.StdEncoding.DecodeString(packed)
				if err != nil {
					t.Fatal(err)
				}
				for at := 0; at < len(raw); at += 4 {
					vector = append(vector, float64(math.Float32frombits(binary.LittleEndian.Uint32(raw[at:]))))
				}
			}
			for at := range one.len() {
				number, _ := one.at(at).value.(float64)
				vector = append(vector, float64(float32(number)))
			}
			all = append(all, vector)
		}
		return all
	}
	product := func(one, other []float64) float64 {
		sum := 0.0
		for i := range one {
			sum += one[i] * other[i]
		}
		return sum
	}
	got := vectors(`{"model":"sim-embedding","input":["a quiet river","the quiet river","something else entirely"]}`)
	if len(got) != 3 || len(got[0]) != 1536 {
		t.Fatalf("got %d vectors", len(got))
	}
	if near, far := product(got[0], got[1]), product(got[0], got[2]); near < 0.4 || math.Abs(far) > 0.2 {
		t.Errorf("texts that share words are %f near, others %f", near, far)
	}
	if call := last(t, s); call.Prompt != 13 || call.Completion != 0 || !call.Finished || call.Dialect != "openai" {
		t.Errorf("got the call %+v", call)
	}
	float := vectors(`{"model":"sim-embedding","input":"a quiet river","dimensions":256}`)
	packed := vectors(`{"model":"sim-embedding","input":"a quiet river","dimensions":256,"encoding_format":"base64"}`)
	if len(float) != 1 || len(float[0]) != 256 || !slices.Equal(float[0], packed[0]) {
		t.Error("base64 brings other numbers")
	}
	if length := product(float[0], float[0]); math.Abs(length-1) > 1e-5 {
		t.Errorf("the square of the length is %f", length)
	}
	if got := vectors(`{"model":"sim-embedding","input":[[1,2],[3]],"dimensions":2}`); len(got) != 2 || last(t, s).Prompt != 3 {
		t.Errorf("got %v for tokens", got)
	}
	if got := get(t, s, "/v1/embeddings", `{"model":"sim-fault-503","input":"a"}`); got.status != 503 {
		t.Errorf("got %d", got.status)
	}
}

func TestTimePassesBetweenTokens(t *testing.T) {
	eachDialect(t, func(t *testing.T, path string) {
		for _, more := range []string{"", streamed(path)} {
			synctest.Test(t, func(t *testing.T) {
				s := simulator.New(simulator.Options{FirstToken: time.Minute, Chunk: time.Second})
				start := time.Now()
				get(t, s, path, with(path, "sim-small", more))
				if call := last(t, s); time.Since(start) != time.Minute+time.Duration(call.Completion-1)*time.Second {
					t.Errorf("%d tokens took %s", call.Completion, time.Since(start))
				}
			})
		}
	})
}

// tokensOf reads a stream until so many tokens have come.
func tokensOf(t *testing.T, body io.Reader, count int) {
	t.Helper()
	lines := bufio.NewReaderSize(body, 16)
	for count > 0 {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(line, `"content":" `) || strings.Contains(line, `"content":"The`) || strings.Contains(line, `text_delta`) {
			count--
		}
	}
}

func TestWhoeverLeavesEndsTheCall(t *testing.T) {
	eachDialect(t, func(t *testing.T, path string) {
		for name, leave := range map[string]func(context.CancelFunc, io.Closer){
			"by closing":     func(_ context.CancelFunc, body io.Closer) { body.Close() },
			"by its context": func(cancel context.CancelFunc, _ io.Closer) { cancel() },
		} {
			for after := range 21 {
				synctest.Test(t, func(t *testing.T) { // which fails when a goroutine stays behind
					s := simulator.New(simulator.Options{Chunk: time.Second})
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					response, err := s.RoundTrip(ask(ctx, "http://simulator", path, with(path, "sim-small", streamed(path))))
					if err != nil {
						t.Fatal(err)
					}
					tokensOf(t, response.Body, after)
					leave(cancel, response.Body)
					synctest.Wait()
					if call := last(t, s); call.Finished || call.Sent < after-1 || call.Sent > after || call.Completion > after+1 {
						t.Errorf("%s after %d tokens left the call %+v", name, after, call)
					}
					if _, err := io.ReadAll(response.Body); err == nil {
						t.Errorf("%s: the body ends as if it were whole", name)
					}
				})
			}
		}
	})
}

func TestWhatWaitsForeverEndsWithItsClient(t *testing.T) {
	eachDialect(t, func(t *testing.T, path string) {
		for _, more := range []string{"", streamed(path)} {
			synctest.Test(t, func(t *testing.T) {
				s := simulator.New(simulator.Options{})
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				_, err := s.RoundTrip(ask(ctx, "http://simulator", path, with(path, "sim-fault-slow-headers", more)))
				synctest.Wait()
				if call := last(t, s); !errors.Is(err, context.DeadlineExceeded) || call.Finished || call.Fault != "slow-headers" {
					t.Errorf("got %v and the call %+v", err, call)
				}
			})
			synctest.Test(t, func(t *testing.T) {
				s := simulator.New(simulator.Options{})
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				response, err := s.RoundTrip(ask(ctx, "http://simulator", path, with(path, "sim-fault-slow-chunks", more)))
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(response.Body)
				synctest.Wait()
				want := 0
				if more != "" {
					want = 3
				}
				if call := last(t, s); !errors.Is(err, context.DeadlineExceeded) || len(body) == 0 || call.Finished || call.Sent != want {
					t.Errorf("got %v after %s and the call %+v", err, body, call)
				}
			})
		}
	})
}

func TestARequestThatIsGoneIsNotAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		s := simulator.New(simulator.Options{FirstToken: time.Minute})
		if _, err := s.RoundTrip(ask(ctx, "http://simulator", chat, with(chat, "sim-small", ""))); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

// settled waits until no more goroutines are there than before.
func settled(t *testing.T, before int) {
	t.Helper()
	eventually(t, "goroutines stay behind", func() bool { return runtime.NumGoroutine() <= before })
}

func eventually(t *testing.T, otherwise string, is func() bool) {
	t.Helper()
	tick, late := time.NewTicker(time.Millisecond), time.NewTimer(20*time.Second)
	defer tick.Stop()
	defer late.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-late.C:
			t.Fatal(otherwise)
		}
	}
}

func TestOverASocket(t *testing.T) {
	before := runtime.NumGoroutine()
	s := simulator.New(simulator.Options{})
	server := httptest.NewServer(s)
	eachDialect(t, func(t *testing.T, path string) {
		for _, more := range []string{"", streamed(path)} {
			for fault, isTorn := range map[string]bool{"bytes": false, "crlf": false, "eof": false, "reset": true} {
				response, err := server.Client().Do(ask(t.Context(), server.URL, path, with(path, "sim-fault-"+fault, more)))
				if err != nil {
					if !isTorn { // a reset may be quicker than the head before it
						t.Fatal(err)
					}
					continue
				}
				_, err = io.ReadAll(response.Body)
				response.Body.Close()
				if (err != nil) != isTorn {
					t.Errorf("%s ended by %v", fault, err)
				}
				if call := last(t, s); call.Fault != fault || call.Finished != (fault == "bytes" || fault == "crlf") {
					t.Errorf("%s: got the call %+v", fault, call)
				}
			}
		}
		impatient, giveUp := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer giveUp()
		known := len(s.Calls())
		if _, err := server.Client().Do(ask(impatient, server.URL, path, with(path, "sim-fault-slow-headers", ""))); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("slow-headers ended by %v", err)
		}
		eventually(t, "the handler goes on", func() bool { return len(s.Calls()) > known })
		for _, leave := range []string{"close", "cancel"} {
			count := len(s.Calls())
			ctx, cancel := context.WithCancel(t.Context())
			response, err := server.Client().Do(ask(ctx, server.URL, path, with(path, "sim-fault-slow-chunks", streamed(path))))
			if err != nil {
				t.Fatal(err)
			}
			tokensOf(t, response.Body, 3)
			if leave == "cancel" {
				cancel()
			}
			response.Body.Close()
			cancel()
			eventually(t, "the handler goes on", func() bool { return len(s.Calls()) > count })
			if call := last(t, s); call.Finished || call.Sent != 3 {
				t.Errorf("%s left the call %+v", leave, call)
			}
		}
	})
	server.Client().CloseIdleConnections()
	server.Close()
	settled(t, before)
}

func TestManyAtOnce(t *testing.T) {
	before := runtime.NumGoroutine()
	s := simulator.New(simulator.Options{})
	const clients, each = 32, 50
	models := []string{"sim-small", "sim-reasoning", "sim-fault-429", "sim-fault-eof", "sim-fault-reset", "sim-fault-flaky"}
	var all sync.WaitGroup
	for client := range clients {
		all.Go(func() {
			path := []string{chat, messages}[client%2]
			for i := range each {
				ctx, cancel := context.WithCancel(t.Context())
				response, err := s.RoundTrip(ask(ctx, "http://simulator", path, with(path, models[i%len(models)], streamed(path))))
				if err != nil {
					t.Error(err)
				} else {
					if i%7 > 0 {
						_, _ = io.Copy(io.Discard, response.Body)
					}
					response.Body.Close()
				}
				cancel()
			}
		})
	}
	all.Wait()
	settled(t, before)
	calls := s.Calls()
	if len(calls) != clients*each {
		t.Errorf("%d of %d calls are known", len(calls), clients*each)
	}
	for _, call := range calls {
		if call.Sent > call.Completion || call.Finished && call.Sent != call.Completion || call.Finished && call.Prompt != 6 {
			t.Errorf("got the call %+v", call)
		}
	}
}
