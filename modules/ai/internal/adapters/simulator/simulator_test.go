package simulator_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/omnistack/omnistack/modules/ai/internal/adapters/simulator"
)

const (
	chat     = "/v1/chat/completions"
	messages = "/v1/messages"
)

// ask makes a request for a path, with the headers of its dialect.
func ask(ctx context.Context, base, path, body string) *http.Request {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, base+path, strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	request.Header.Set("Content-Type", "application/json")
	if path == messages {
		request.Header.Set("X-Api-Key", "any")
		request.Header.Set("Anthropic-Version", "2023-06-01")
	} else {
		request.Header.Set("Authorization", "Bearer any")
	}
	return request
}

// with returns a small question with more members.
func with(path, model, more string) string {
	if path == messages {
		model += `","max_tokens":500,"x":"`
	}
	if more != "" {
		more = "," + more
	}
	return `{"model":"` + model + `","messages":[{"role":"user","content":"What is behind the hill?"}]` + more + `}`
}

// tree is decoded JSON.
type tree struct{ value any }

func parse(t *testing.T, text string) tree {
	t.Helper()
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatalf("%s: %q", err, text)
	}
	return tree{value}
}

// at follows names and numbers; nil is where nothing is.
func (v tree) at(path ...any) tree {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			members, _ := v.value.(map[string]any)
			v = tree{members[step]}
		case int:
			items, _ := v.value.([]any)
			if step >= len(items) {
				return tree{}
			}
			v = tree{items[step]}
		}
	}
	return v
}

func (v tree) text() string { text, _ := v.value.(string); return text }
func (v tree) int() int     { number, _ := v.value.(float64); return int(number) }
func (v tree) len() int     { items, _ := v.value.([]any); return len(items) }

// sent is one event of a stream.
type sent struct{ name, data string }

// events reads a stream as https://html.spec.whatwg.org/multipage/server-sent-events.html has it.
func events(t *testing.T, body string) []sent {
	t.Helper()
	var all []sent
	var now sent
	for line := range strings.SplitSeq(strings.ReplaceAll(body, "\r\n", "\n"), "\n") {
		field, value, _ := strings.Cut(line, ": ")
		switch field {
		case "data":
			now.data += value
		case "event":
			now.name = value
		case "":
			if line == "" && now.data != "" {
				all = append(all, now)
				now = sent{}
			}
		default:
			t.Fatalf("the line %q is of no event", line)
		}
	}
	return all
}

// reply is a whole answer.
type reply struct {
	status int
	header http.Header
	body   string
	err    error // of reading the body
}

// get asks in memory.
func get(t *testing.T, s *simulator.Simulator, path, body string) reply {
	t.Helper()
	response, err := s.RoundTrip(ask(t.Context(), "http://simulator", path, body))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return reply{response.StatusCode, response.Header, string(text), err}
}

// said is what a stream or a body told, in either dialect.
type said struct {
	text, thoughts string
	calls          []string // the name and the arguments, with a space between
	ids            []string
	reason, stop   string
	prompt, output int
	isDone         bool
	failed         string // the kind of an error in the stream
}

func listen(t *testing.T, path, body string) said {
	t.Helper()
	if path == messages {
		return listenAnthropic(t, body)
	}
	var got said
	for _, e := range events(t, body) {
		if got.isDone {
			t.Fatalf("%q comes after the end", e.data)
		}
		if e.data == "[DONE]" {
			got.isDone = true
			continue
		}
		chunk := parse(t, e.data)
		if failed := chunk.at("error", "type").text(); failed != "" {
			got.failed = failed
			continue
		}
		if chunk.at("object").text() != "chat.completion.chunk" || chunk.at("id").text() == "" || chunk.at("model").text() == "" {
			t.Fatalf("no chunk: %s", e.data)
		}
		delta := chunk.at("choices", 0, "delta")
		got.text += delta.at("content").text()
		got.thoughts += delta.at("reasoning_content").text()
		for i := range delta.at("tool_calls").len() {
			call := delta.at("tool_calls", i)
			if name := call.at("function", "name").text(); name != "" {
				got.calls, got.ids = append(got.calls, name+" "), append(got.ids, call.at("id").text())
			}
			got.calls[call.at("index").int()] += call.at("function", "arguments").text()
		}
		if reason := chunk.at("choices", 0, "finish_reason").text(); reason != "" {
			got.reason = reason
		}
		if usage := chunk.at("usage"); usage.value != nil {
			if chunk.at("choices").len() != 0 {
				t.Fatalf("usage comes with choices: %s", e.data)
			}
			got.prompt, got.output = usage.at("prompt_tokens").int(), usage.at("completion_tokens").int()
		}
	}
	return got
}

func listenAnthropic(t *testing.T, body string) said {
	t.Helper()
	var got said
	block, kind := -1, ""
	for i, e := range events(t, body) {
		data := parse(t, e.data)
		if data.at("type").text() != e.name {
			t.Fatalf("%s is called %s", e.data, e.name)
		}
		if (i == 0) != (e.name == "message_start") || got.isDone {
			t.Fatalf("%s comes as number %d", e.name, i)
		}
		delta := data.at("delta")
		if strings.HasPrefix(e.name, "content_block") && e.name != "content_block_start" && (kind == "" || data.at("index").int() != block) {
			t.Fatalf("%s while block %d is open", e.data, block)
		}
		switch e.name {
		case "message_start":
			got.prompt = data.at("message", "usage", "input_tokens").int()
		case "content_block_start":
			block++
			if kind != "" || data.at("index").int() != block {
				t.Fatalf("%s while a block is open", e.data)
			}
			if kind = data.at("content_block", "type").text(); kind == "tool_use" {
				got.calls = append(got.calls, data.at("content_block", "name").text()+" ")
				got.ids = append(got.ids, data.at("content_block", "id").text())
			}
		case "content_block_delta":
			switch kind + " " + delta.at("type").text() {
			case "text text_delta":
				got.text += delta.at("text").text()
			case "thinking thinking_delta":
				got.thoughts += delta.at("thinking").text()
			case "tool_use input_json_delta":
				got.calls[len(got.calls)-1] += delta.at("partial_json").text()
			case "thinking signature_delta", "text citations_delta":
			default:
				t.Fatalf("%s in a block of %s", e.data, kind)
			}
		case "content_block_stop":
			kind = ""
		case "message_delta":
			if reason := delta.at("stop_reason").text(); reason != "" {
				got.reason, got.stop = reason, delta.at("stop_sequence").text()
			}
			got.output = data.at("usage", "output_tokens").int()
		case "message_stop":
			got.isDone = true
		case "error":
			got.failed = data.at("error", "type").text()
		case "ping":
		default:
			t.Fatalf("the event %s is unknown", e.name)
		}
	}
	return got
}

// read reads a whole answer.
func read(t *testing.T, path, body string) said {
	t.Helper()
	got, answer := said{isDone: true}, parse(t, body)
	if path == messages {
		for i := range answer.at("content").len() {
			block := answer.at("content", i)
			switch block.at("type").text() {
			case "text":
				got.text += block.at("text").text()
			case "thinking":
				got.thoughts += block.at("thinking").text()
			case "tool_use":
				input, err := json.Marshal(block.at("input").value)
				if err != nil {
					t.Fatal(err)
				}
				got.calls = append(got.calls, block.at("name").text()+" "+string(input))
				got.ids = append(got.ids, block.at("id").text())
			}
		}
		got.reason, got.stop = answer.at("stop_reason").text(), answer.at("stop_sequence").text()
		got.prompt, got.output = answer.at("usage", "input_tokens").int(), answer.at("usage", "output_tokens").int()
		return got
	}
	message := answer.at("choices", 0, "message")
	got.text, got.thoughts = message.at("content").text(), message.at("reasoning_content").text()
	for i := range message.at("tool_calls").len() {
		call := message.at("tool_calls", i)
		got.calls = append(got.calls, call.at("function", "name").text()+" "+call.at("function", "arguments").text())
		got.ids = append(got.ids, call.at("id").text())
	}
	got.reason = answer.at("choices", 0, "finish_reason").text()
	got.prompt, got.output = answer.at("usage", "prompt_tokens").int(), answer.at("usage", "completion_tokens").int()
	return got
}

// streamed returns the members that ask for a stream that tells its usage.
func streamed(path string) string {
	if path == messages {
		return `"stream":true`
	}
	return `"stream":true,"stream_options":{"include_usage":true}`
}

func eachDialect(t *testing.T, test func(t *testing.T, path string)) {
	t.Run("openai", func(t *testing.T) { test(t, chat) })
	t.Run("anthropic", func(t *testing.T) { test(t, messages) })
}

func words(text string) int { return len(strings.Fields(text)) }

func last(t *testing.T, s *simulator.Simulator) simulator.Call {
	t.Helper()
	calls := s.Calls()
	if len(calls) == 0 {
		t.Fatal("there was no call")
	}
	return calls[len(calls)-1]
}

func TestStreamsAndBodiesTellTheSame(t *testing.T) {
	eachDialect(t, func(t *testing.T, path string) {
		for _, model := range []string{"sim-small", "sim-large", "sim-search", "sim-reasoning"} {
			s := simulator.New(simulator.Options{})
			whole := get(t, s, path, with(path, model, ""))
			stream := get(t, s, path, with(path, model, streamed(path)))
			if got := whole.header.Get("Content-Type"); whole.status != http.StatusOK || got != "application/json" {
				t.Fatalf("%s: %d %s", model, whole.status, got)
			}
			if got := stream.header.Get("Content-Type"); stream.status != http.StatusOK || !strings.HasPrefix(got, "text/event-stream") {
				t.Fatalf("%s: %d %s", model, stream.status, got)
			}
			one, other := read(t, path, whole.body), listen(t, path, stream.body)
			if !reflect.DeepEqual(one, other) {
				t.Errorf("%s tells %+v, and in a stream %+v", model, one, other)
			}
			if count := words(one.text); count < 20 || count > 60 || one.output != count+words(one.thoughts) || one.prompt != 6 {
				t.Errorf("%s has %d words and counts %+v", model, count, one)
			}
			if (one.thoughts != "") != (model == "sim-reasoning") {
				t.Errorf("%s thinks %q", model, one.thoughts)
			}
			if got := strings.Contains(whole.body, `"citations"`) && strings.Contains(stream.body, "https://example.com/"); got != (model == "sim-search") {
				t.Errorf("%s has citations: %t", model, got)
			}
			for i, call := range s.Calls() {
				want := simulator.Call{Dialect: strings.TrimPrefix(t.Name(), "TestStreamsAndBodiesTellTheSame/"), Model: model, Stream: i == 1, Prompt: 6, Completion: one.output, Sent: one.output, Finished: true}
				if call != want {
					t.Errorf("got the call %+v, want %+v", call, want)
				}
			}
		}
	})
}

func TestTheSameQuestionGetsTheSameAnswer(t *testing.T) {
	eachDialect(t, func(t *testing.T, path string) {
		first := get(t, simulator.New(simulator.Options{}), path, with(path, "sim-small", streamed(path)))
		second := get(t, simulator.New(simulator.Options{}), path, with(path, "sim-small", streamed(path)))
		if first.body != second.body {
			t.Errorf("got %s, then %s", first.body, second.body)
		}
		other := get(t, simulator.New(simulator.Options{}), path, with(path, "sim-large", streamed(path)))
		if listen(t, path, other.body).text == listen(t, path, first.body).text {
			t.Error("another model says the same")
		}
	})
	s := simulator.New(simulator.Options{})
	one, other := get(t, s, chat, with(chat, "sim-small", "")), get(t, s, messages, with(messages, "sim-small", ""))
	if read(t, chat, one.body).text != read(t, messages, other.body).text {
		t.Error("the dialects say different things")
	}
	// What it says is kept: other tests and documents show it.
	const want = "The calm garden reaches the gentle island beside the mountain. The old letter follows the distant harbour. The early hill meets the quiet captain."
	if got := read(t, chat, one.body).text; got != want {
		t.Errorf("it says %q", got)
	}
}

func TestEveryTokenComesByItself(t *testing.T) {
	s := simulator.New(simulator.Options{})
	for _, e := range events(t, get(t, s, chat, with(chat, "sim-small", streamed(chat))).body) {
		if e.data == "[DONE]" {
			continue
		}
		if content := parse(t, e.data).at("choices", 0, "delta", "content").text(); content != "" && words(content) != 1 {
			t.Errorf("%q is not one token", content)
		}
	}
}

const (
	openaiTools = `"tools":[{"type":"function","function":{"name":"weather","parameters":{"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer","minimum":2,"maximum":4},"unit":{"enum":["c","f"]},"note":{"type":"string"}},"required":["city","days","unit"]}}},` +
		`{"type":"function","function":{"name":"clock"}}]`
	anthropicTools = `"tools":[{"name":"weather","input_schema":{"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer","minimum":2,"maximum":4},"unit":{"enum":["c","f"]},"note":{"type":"string"}},"required":["city","days","unit"]}},` +
		`{"name":"clock","input_schema":{"type":"object"}}]`
)

func toolsOf(path string) string {
	if path == messages {
		return anthropicTools
	}
	return openaiTools
}

func TestTools(t *testing.T) {
	eachDialect(t, func(t *testing.T, path string) {
		s := simulator.New(simulator.Options{})
		all, one, none := `"tool_choice":"required"`, `"tool_choice":{"type":"function","function":{"name":"clock"}}`, `"tool_choice":"none"`
		single := `"parallel_tool_calls":false`
		if path == messages {
			all, one, none = `"tool_choice":{"type":"any"}`, `"tool_choice":{"type":"tool","name":"clock"}`, `"tool_choice":{"type":"none"}`
			single = `"tool_choice":{"type":"auto","disable_parallel_tool_use":true}`
		}
		wanting := strings.Replace(with(path, "sim-small", ""), "the hill", "the hill? Use a tool", 1)
		wanting = wanting[:len(wanting)-1] + "," + toolsOf(path)
		plain := with(path, "sim-small", toolsOf(path))
		plain = plain[:len(plain)-1]
		for name, test := range map[string]struct {
			body string
			want string
		}{
			"the word":     {wanting, "weather clock"},
			"the word, no": {wanting + "," + none, ""},
			"one at once":  {wanting + "," + single, "weather"},
			"no word":      {plain, ""},
			"forced":       {plain + "," + all, "weather clock"},
			"forced one":   {plain + "," + one, "clock"},
		} {
			whole := read(t, path, get(t, s, path, test.body+"}").body)
			stream := listen(t, path, get(t, s, path, test.body+","+streamed(path)+"}").body)
			var names []string
			tokens := words(stream.text)
			for i, call := range stream.calls {
				name, arguments, _ := strings.Cut(call, " ")
				names = append(names, name)
				tokens += 1 + words(arguments)
				var inWhole, inStream any
				_, wholeArguments, _ := strings.Cut(whole.calls[i], " ")
				if json.Unmarshal([]byte(arguments), &inStream) != nil || json.Unmarshal([]byte(wholeArguments), &inWhole) != nil || !reflect.DeepEqual(inWhole, inStream) {
					t.Errorf("%s: got %q, and in a stream %q", name, whole.calls, stream.calls)
				}
				if name == "weather" {
					got := tree{inStream}
					if members, _ := inStream.(map[string]any); len(members) != 3 || got.at("city").text() == "" || got.at("days").int() < 2 || got.at("days").int() > 4 || !slices.Contains([]string{"c", "f"}, got.at("unit").text()) {
						t.Errorf("%s: the arguments are %s", name, arguments)
					}
				}
			}
			if got := strings.Join(names, " "); got != test.want || !slices.Equal(whole.ids, stream.ids) || tokens != stream.output || whole.output != stream.output {
				t.Errorf("%s: got %+v, and in a stream %+v with %d tokens", name, whole, stream, tokens)
			}
			wantReason := map[bool]string{true: "tool", false: map[string]string{chat: "stop", messages: "end_turn"}[path]}[test.want != ""]
			if !strings.HasPrefix(stream.reason, wantReason) || whole.reason != stream.reason {
				t.Errorf("%s: it ends by %s and %s", name, whole.reason, stream.reason)
			}
		}
	})
}

func TestFragmentsOfSeveralCallsComeByTurns(t *testing.T) {
	two := strings.Replace(openaiTools, `"name":"clock"`, `"name":"clock","parameters":{"required":["zone","form"]}`, 1)
	body := get(t, simulator.New(simulator.Options{}), chat, with(chat, "sim-small", `"stream":true,"tool_choice":"required",`+two)).body
	var order []int
	for _, e := range events(t, body) {
		if e.data == "[DONE]" {
			break
		}
		if calls := parse(t, e.data).at("choices", 0, "delta", "tool_calls"); calls.len() == 1 {
			order = append(order, calls.at(0, "index").int())
		}
	}
	if len(order) < 6 || !slices.Equal(order[:6], []int{0, 1, 0, 1, 0, 1}) {
		t.Errorf("the fragments are of the calls %v", order)
	}
}

func TestAnAnswerToResultsIsText(t *testing.T) {
	s := simulator.New(simulator.Options{})
	for path, conversation := range map[string]string{
		chat: `{"role":"user","content":"Use a tool."},{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"weather","arguments":"{}"}},{"id":"b","type":"function","function":{"name":"clock","arguments":"{}"}}]},` +
			`{"role":"tool","tool_call_id":"b","content":"noon"},{"role":"tool","tool_call_id":"a","content":"warm"}`,
		messages: `{"role":"user","content":"Use a tool."},{"role":"assistant","content":[{"type":"thinking","thinking":"x","signature":"y"},{"type":"tool_use","id":"a","name":"weather","input":{}},{"type":"tool_use","id":"b","name":"clock","input":{}}]},` +
			`{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":"warm"},{"type":"tool_result","tool_use_id":"b","content":[{"type":"text","text":"noon"}]}]}`,
	} {
		got := read(t, path, get(t, s, path, `{"model":"sim-small","max_tokens":100,`+toolsOf(path)+`,"messages":[`+conversation+`]}`).body)
		// 11 bytes of the user, 12 of names, 4 of arguments and 8 of results.
		if got.calls != nil || words(got.text) < 20 || got.prompt != 9 {
			t.Errorf("%s: got %+v", path, got)
		}
	}
}

func TestLimitsAndStops(t *testing.T) {
	eachDialect(t, func(t *testing.T, path string) {
		s := simulator.New(simulator.Options{})
		limit, stopped, stop := "length", "stop", "stop"
		if path == messages {
			limit, stopped, stop = "max_tokens", "stop_sequence", "stop_sequences"
		}
		full := read(t, path, get(t, s, path, with(path, "sim-small", "")).body)
		all := strings.Fields(full.text)
		for name, test := range map[string]struct{ more, text, reason string }{
			"one token":       {`"max_tokens":1`, all[0], limit},
			"five tokens":     {`"max_tokens":5`, strings.Join(all[:5], " "), limit},
			"just enough":     {fmt.Sprintf(`"max_tokens":%d`, len(all)), full.text, full.reason},
			"a stop":          {`"` + stop + `":["nothing of this",".","` + all[len(all)-1] + `"]`, strings.SplitN(full.text, ".", 2)[0], stopped},
			"a stop too late": {`"` + stop + `":["."],"max_tokens":2`, strings.Join(all[:2], " "), limit},
			"a stop at once":  {`"` + stop + `":["` + all[0] + `"]`, "", stopped},
		} {
			whole := read(t, path, get(t, s, path, with(path, "sim-small", test.more)).body)
			stream := listen(t, path, get(t, s, path, with(path, "sim-small", test.more+","+streamed(path))).body)
			if !reflect.DeepEqual(whole, stream) || whole.text != test.text || whole.reason != test.reason || whole.output != words(test.text) {
				t.Errorf("%s: got %+v, and in a stream %+v", name, whole, stream)
			}
		}
	})
}

func TestAnAnswerFitsItsSchema(t *testing.T) {
	const shape = `{"type":"object","properties":{"name":{"type":"string"},"count":{"type":"integer"},"open":{"type":"boolean"},"tags":{"type":"array","items":{"type":"string"},"minItems":2},` +
		`"next":{"$ref":"#/$defs/next"},"kind":{"type":["null","string"],"enum":["a"]},"price":{"type":"number","exclusiveMinimum":0,"maximum":0.5}},` +
		`"required":["name","count","open","tags","next","kind","price"],"$defs":{"next":{"anyOf":[{"type":"object","properties":{"when":{"type":"string","format":"date"}},"required":["when"]}]}}}`
	s := simulator.New(simulator.Options{})
	for path, more := range map[string]string{
		chat:     `"response_format":{"type":"json_schema","json_schema":{"name":"x","strict":true,"schema":` + shape + `}}`,
		messages: `"output_config":{"format":{"type":"json_schema","schema":` + shape + `}}`,
	} {
		got := listen(t, path, get(t, s, path, with(path, "sim-small", more+","+streamed(path))).body)
		value := parse(t, got.text)
		price, _ := value.at("price").value.(float64)
		_, isBool := value.at("open").value.(bool)
		_, err := time.Parse(time.DateOnly, value.at("next", "when").text())
		if value.at("name").text() == "" || value.at("count").int() < 1 || !isBool || value.at("tags").len() != 2 || err != nil || value.at("kind").text() != "a" || price <= 0 || price > 0.5 {
			t.Errorf("%s: got %s", path, got.text)
		}
		if got.output != words(got.text) {
			t.Errorf("%s: counts %d tokens in %s", path, got.output, got.text)
		}
	}
	got := read(t, chat, get(t, s, chat, with(chat, "sim-small", `"response_format":{"type":"json_object"}`)).body)
	if members, _ := parse(t, got.text).value.(map[string]any); len(members) == 0 {
		t.Errorf("got %s", got.text)
	}
}

func TestImagesCount(t *testing.T) {
	s := simulator.New(simulator.Options{})
	for path, parts := range map[string]string{
		chat:     `{"type":"text","text":"four"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA","detail":"low"}},{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}`,
		messages: `{"type":"text","text":"four"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}},{"type":"image","source":{"type":"url","url":"https://example.com/a.png"}}`,
	} {
		got := read(t, path, get(t, s, path, `{"model":"sim-small","max_tokens":100,"messages":[{"role":"user","content":[`+parts+`]}]}`).body)
		if got.prompt != 1+2*85 {
			t.Errorf("%s: the prompt has %d tokens", path, got.prompt)
		}
	}
}

// A schema comes from whoever asks, and must not keep the simulator busy for ever.
func TestSchemasThatGrowAreCutShort(t *testing.T) {
	s := simulator.New(simulator.Options{})
	lists := `{"type":"string"}`
	for range 12 {
		lists = `{"type":"array","minItems":1000000,"items":` + lists + `}`
	}
	again := strings.Repeat(`{"$ref":"#"},`, 50) + `{"$ref":"#"}`
	for name, shape := range map[string]string{
		"lists of lists": `{"type":"object","required":["a"],"properties":{"a":` + lists + `}}`,
		"itself":         `{"type":"object","required":["a"],"properties":{"a":{"$ref":"#"}}}`,
		"all of itself":  `{"type":"object","required":["a"],"allOf":[` + again + `]}`,
		"true":           `true`,
		"a long text":    `{"required":["a"],"properties":{"a":{"type":"string","minLength":100000000}}}`,
	} {
		body := with(chat, "sim-small", `"response_format":{"type":"json_schema","json_schema":{"name":"x","schema":`+shape+`}}`)
		answer := get(t, s, chat, body)
		if got := read(t, chat, answer.body).text; answer.status != http.StatusOK || !json.Valid([]byte(got)) || len(got) > 100_000 {
			t.Errorf("%s: got %d %.200s with %d bytes", name, answer.status, answer.body, len(answer.body))
		}
	}
}

// nowhere takes an answer that nobody reads.
type nowhere struct{ header http.Header }

func (n nowhere) Header() http.Header            { return n.header }
func (n nowhere) Write(text []byte) (int, error) { return len(text), nil }
func (n nowhere) WriteHeader(int)                {}

func TestOnlyTheLastCallsAreRemembered(t *testing.T) {
	s := simulator.New(simulator.Options{})
	const kept, more = 100_000, 100_001
	request := ask(t.Context(), "http://simulator", chat, "")
	request.Header.Del("Authorization")
	for range kept + more {
		s.ServeHTTP(nowhere{http.Header{}}, request)
	}
	get(t, s, chat, with(chat, "sim-small", ""))
	if calls := s.Calls(); len(calls) != kept || calls[kept-1].Model != "sim-small" || calls[0].Model != "" {
		t.Errorf("%d calls are remembered", len(calls))
	}
}
