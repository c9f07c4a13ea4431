package langchain_test

import (
	"encoding/json"
	"io"
	"net/http"
	"reflect"
	"testing"

	"github.com/omnistack/omnistack/modules/ai/internal/domain"
)

// everything is a call that has all that a call can have.
func everything(accepts domain.Accepts) *domain.Call {
	text := func(s string) []domain.Part { return []domain.Part{{Text: s}} }
	return &domain.Call{
		Model: domain.Model{ID: "m", MaxOutput: 77, Accepts: accepts},
		Messages: []domain.Message{
			{Role: domain.System, Parts: text("Be brief.")},
			{Role: domain.System, Parts: text("Be kind.")},
			{Role: domain.User, Parts: []domain.Part{{Text: "Look:"}, {Image: "https://a.test/b.png"}, {Image: "data:image/png;base64,AAAA"}}},
			{Role: domain.Assistant, Parts: text("I'll ask."), Calls: []domain.ToolCall{
				{ID: "c1", Name: "clock", Arguments: `{"zone":"UTC"}`}, {ID: "c2", Name: "clock", Arguments: `not JSON`},
			}},
			{Role: domain.ToolRole, CallID: "c1", Parts: text("12:00")},
			{Role: domain.ToolRole, CallID: "c2", Parts: text("13:00")},
			{Role: domain.User, Parts: text("So?")},
		},
		Tools:       []domain.Tool{{Name: "clock", Description: "The time.", Parameters: []byte(`{"type":"object"}`), Strict: true}},
		Choice:      domain.Choice{Mode: domain.ChooseNamed, Name: "clock", Single: true},
		Format:      domain.Format{Name: "time", Schema: []byte(`{"type":"object"}`), Strict: true},
		Temperature: new(1.5), TopP: new(0.5), MaxTokens: 50, Stop: []string{"END"}, Effort: "low",
	}
}

// request is what reached the provider.
type request struct {
	path   string
	header http.Header
	body   map[string]any
}

// requested returns the request for a call.
func requested(t *testing.T, d tongue, call *domain.Call, streamed bool) request {
	t.Helper()
	var got request
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(r.Body)
		if err != nil || json.Unmarshal(text, &got.body) != nil {
			t.Errorf("the request is %q, %v", text, err)
		}
		got.path, got.header = r.URL.Path, r.Header
		if streamed {
			says(200, asEvents, stream(d.pieces...))(w, r)
			return
		}
		says(200, asJSON, d.whole)(w, r)
	})
	var err error
	if provider := d.at(t, server.URL+"/base", long); streamed {
		_, err = provider.Generate(t.Context(), call, &listener{})
	} else {
		_, err = provider.Generate(t.Context(), call, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func wantBody(t *testing.T, name string, got map[string]any, want string) {
	t.Helper()
	var wanted map[string]any
	if err := json.Unmarshal([]byte(want), &wanted); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, wanted) {
		text, _ := json.Marshal(got)
		t.Errorf("%s: sent\n%s\nwant\n%s", name, text, want)
	}
}

func all() domain.Accepts {
	return domain.Accepts{Temperature: true, TopP: true, Stop: true, Tools: true, JSONSchema: true, Images: true, Effort: true}
}

func TestRequestsOfChat(t *testing.T) {
	d := tongues()[0]
	got := requested(t, d, everything(all()), false)
	if got.path != "/base/chat/completions" || got.header.Get("Authorization") != "Bearer key-"+canary || got.header.Get("User-Agent") != "OmniStack" {
		t.Errorf("%s %v", got.path, got.header)
	}
	const conversation = `"messages":[{"role":"system","content":"Be brief."},{"role":"system","content":"Be kind."},
		{"role":"user","content":[{"type":"text","text":"Look:"},{"type":"image_url","image_url":{"url":"https://a.test/b.png"}},
			{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]},
		{"role":"assistant","content":"I'll ask.","tool_calls":[
			{"id":"c1","type":"function","function":{"name":"clock","arguments":"{\"zone\":\"UTC\"}"}},
			{"id":"c2","type":"function","function":{"name":"clock","arguments":"not JSON"}}]},
		{"role":"tool","content":"12:00","tool_call_id":"c1"},{"role":"tool","content":"13:00","tool_call_id":"c2"},
		{"role":"user","content":"So?"}],
		"tools":[{"type":"function","function":{"name":"clock","description":"The time.","parameters":{"type":"object"},"strict":true}}],
		"tool_choice":{"type":"function","function":{"name":"clock"}},"parallel_tool_calls":false,
		"response_format":{"type":"json_schema","json_schema":{"name":"time","schema":{"type":"object"},"strict":true}}`
	// Another server than OpenAI's is asked with the older name of the limit.
	wantBody(t, "all that there is", got.body, `{"model":"m",`+conversation+`,"temperature":1.5,"top_p":0.5,"max_tokens":50,"stop":["END"],
		"reasoning_effort":"low"}`)
	got = requested(t, d, everything(domain.Accepts{}), true)
	wantBody(t, "what few models take", got.body, `{"model":"m",`+conversation+`,"max_tokens":50,"stream":true,"stream_options":{"include_usage":true}}`)

	least := d.asked()
	least.Messages = []domain.Message{{Role: domain.Assistant, Calls: []domain.ToolCall{{ID: "c", Name: "n", Arguments: "{}"}}}}
	least.Format.JSON, least.Choice.Mode, least.Tools = true, domain.ChooseRequired, []domain.Tool{{Name: "n"}}
	wantBody(t, "no content", requested(t, d, least, false).body, `{"model":"gpt","messages":[{"role":"assistant","content":null,"tool_calls":[
		{"id":"c","type":"function","function":{"name":"n","arguments":"{}"}}]}],"response_format":{"type":"json_object"},
		"tools":[{"type":"function","function":{"name":"n"}}],"tool_choice":"required"}`)
}

// TestOpenAIItselfKnowsTheNewName proves that the limit of an answer has its current name where OpenAI is asked.
func TestOpenAIItselfKnowsTheNewName(t *testing.T) {
	var body map[string]any
	d := tongues()[0]
	provider := d.through(t, trip(func(r *http.Request) (*http.Response, error) {
		if r.URL.String() != "https://api.openai.com/v1/chat/completions" {
			t.Errorf("it goes to %s", r.URL)
		}
		return nil, json.NewDecoder(r.Body).Decode(&body)
	}))
	call := d.asked()
	call.MaxTokens = 9
	_, _ = provider.Generate(t.Context(), call, nil)
	if body["max_completion_tokens"] != 9.0 || body["max_tokens"] != nil {
		t.Errorf("%v", body)
	}
}

type trip func(*http.Request) (*http.Response, error)

func (f trip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestRequestsOfMessages(t *testing.T) {
	d := tongues()[1]
	got := requested(t, d, everything(all()), false)
	if got.path != "/base/messages" || got.header.Get("X-Api-Key") != "key-"+canary || got.header.Get("Anthropic-Version") != "2023-06-01" {
		t.Errorf("%s %v", got.path, got.header)
	}
	const conversation = `"system":[{"type":"text","text":"Be brief."},{"type":"text","text":"Be kind."}],
		"messages":[{"role":"user","content":[{"type":"text","text":"Look:"},{"type":"image","source":{"type":"url","url":"https://a.test/b.png"}},
			{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}}]},
		{"role":"assistant","content":[{"type":"text","text":"I'll ask."},{"type":"tool_use","id":"c1","name":"clock","input":{"zone":"UTC"}},
			{"type":"tool_use","id":"c2","name":"clock","input":{}}]},
		{"role":"user","content":[{"type":"tool_result","tool_use_id":"c1","content":[{"type":"text","text":"12:00"}]},
			{"type":"tool_result","tool_use_id":"c2","content":[{"type":"text","text":"13:00"}]},{"type":"text","text":"So?"}]}],
		"tools":[{"name":"clock","description":"The time.","input_schema":{"type":"object"},"strict":true}],
		"tool_choice":{"type":"tool","name":"clock","disable_parallel_tool_use":true}`
	wantBody(t, "all that there is", got.body, `{"model":"m",`+conversation+`,"max_tokens":50,"temperature":1,"top_p":0.5,"stop_sequences":["END"],
		"output_config":{"format":{"type":"json_schema","schema":{"type":"object"}},"effort":"low"}}`)
	got = requested(t, d, everything(domain.Accepts{}), true)
	wantBody(t, "what few models take", got.body, `{"model":"m",`+conversation+`,"max_tokens":50,"stream":true,
		"output_config":{"format":{"type":"json_schema","schema":{"type":"object"}}}}`)

	least := d.asked()
	least.Messages[0].Parts[0].Text = "Hi"
	least.Format.JSON, least.Choice.Mode, least.Tools = true, domain.ChooseNone, []domain.Tool{{Name: "n"}}
	wantBody(t, "no limit, no schema", requested(t, d, least, false).body, `{"model":"claude","max_tokens":100,
		"system":[{"type":"text","text":"Answer with one JSON object and nothing else."}],
		"messages":[{"role":"user","content":[{"type":"text","text":"Hi"}]}],
		"tools":[{"name":"n","input_schema":{"type":"object"}}],"tool_choice":{"type":"none"}}`)
}

func TestRequestsOfResponses(t *testing.T) {
	d := tongues()[2]
	call := &domain.Call{
		Model: domain.Model{ID: "sonar", Accepts: all()}, MaxTokens: 50, Temperature: new(0.0),
		Messages: []domain.Message{
			{Role: domain.System, Parts: []domain.Part{{Text: "Be brief."}}}, {Role: domain.System, Parts: []domain.Part{{Text: "Be kind."}}},
			{Role: domain.User, Parts: []domain.Part{{Text: "One"}, {Text: "two"}}}, {Role: domain.Assistant, Parts: []domain.Part{{Text: "Yes"}}},
		},
	}
	got := requested(t, d, call, true)
	if got.path != "/base/agent" || got.header.Get("Authorization") != "Bearer key-"+canary {
		t.Errorf("%s %v", got.path, got.header)
	}
	wantBody(t, "all that there is", got.body, `{"model":"perplexity/sonar","instructions":"Be brief.\n\nBe kind.","tools":[{"type":"web_search"}],
		"input":[{"type":"message","role":"user","content":"One\n\ntwo"},{"type":"message","role":"assistant","content":"Yes"}],
		"max_output_tokens":50,"temperature":0,"stream":true}`)
}

// TestToolsAndThoughts proves that parallel calls stay apart, and that what a model thinks is no part of what it says.
func TestToolsAndThoughts(t *testing.T) {
	want := []domain.ToolCall{{ID: "c1", Name: "clock", Arguments: `{"zone":"UTC"}`}, {ID: "c2", Name: "dice", Arguments: `{"sides":6}`}}
	for name, test := range map[string]struct {
		d      tongue
		whole  string
		pieces []string
	}{
		"chat": {
			tongues()[0],
			`{"choices":[{"message":{"content":null,"reasoning_content":"Hm.","tool_calls":[
				{"id":"c1","type":"function","function":{"name":"clock","arguments":"{\"zone\":\"UTC\"}"}},
				{"id":"c2","type":"function","function":{"name":"dice","arguments":"{\"sides\":6}"}}]},"finish_reason":"tool_calls"}]}`,
			[]string{
				`{"choices":[{"delta":{"reasoning":"Hm."}}]}`,
				`{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"c1","function":{"name":"clock","arguments":""}}]}}]}`,
				`{"choices":[{"delta":{"tool_calls":[{"index":1,"id":"c2","function":{"name":"dice","arguments":""}}]}}]}`,
				`{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"zone\":"}}]}}]}`,
				`{"choices":[{"delta":{"tool_calls":[{"index":1,"function":{"arguments":"{\"sides\":6}"}}]}}]}`,
				`{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"\"UTC\"}"}}]}}]}`,
				`{"choices":[{"index":1,"delta":{"content":"another answer"}}]}`,
				`{"choices":[{"delta":{},"finish_reason":"tool_calls"}]}`, `[DONE]`,
			},
		},
		"chat, without an index": {
			tongues()[0],
			`{"choices":[{"message":{"reasoning":"Hm.","tool_calls":[{"id":"c1","function":{"name":"clock","arguments":"{\"zone\":\"UTC\"}"}},
				{"id":"c2","function":{"name":"dice","arguments":"{\"sides\":6}"}}]},"finish_reason":"tool_calls"}]}`,
			[]string{
				`{"choices":[{"delta":{"reasoning_content":"Hm."}}]}`,
				`{"choices":[{"delta":{"tool_calls":[{"id":"c1","function":{"name":"clock","arguments":"{\"zone\":"}}]}}]}`,
				`{"choices":[{"delta":{"tool_calls":[{"function":{"arguments":"\"UTC\"}"}}]}}]}`,
				`{"choices":[{"delta":{"tool_calls":[{"id":"c2","function":{"name":"dice","arguments":"{\"sides\""}}]}}]}`,
				`{"choices":[{"delta":{"tool_calls":[{"id":"c2","function":{"arguments":":6}"}}]}}]}`,
				`{"choices":[{"delta":{},"finish_reason":"tool_calls"}]}`, `[DONE]`,
			},
		},
		"messages": {
			tongues()[1],
			`{"type":"message","content":[{"type":"thinking","thinking":"Hm.","signature":"s"},{"type":"redacted_thinking","data":"x"},
				{"type":"tool_use","id":"c1","name":"clock","input":{"zone":"UTC"}},{"type":"tool_use","id":"c2","name":"dice","input":{"sides":6}}],
				"stop_reason":"tool_use"}`,
			[]string{
				`{"type":"message_start","message":{"id":"i"}}`,
				`{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":""}}`,
				`{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Hm."}}`,
				`{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"s"}}`,
				`{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"c1","name":"clock","input":{}}}`,
				`{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"c2","name":"dice","input":{}}}`,
				`{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"zone\":"}}`,
				`{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"sides\":6}"}}`,
				`{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"\"UTC\"}"}}`,
				`{"type":"something_new"}`,
				`{"type":"message_delta","delta":{"stop_reason":"tool_use"}}`, `{"type":"message_stop"}`,
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := test.d.at(t, serve(t, says(200, asJSON, test.whole)).URL, long).Generate(t.Context(), test.d.asked(), nil)
			if err != nil || !reflect.DeepEqual(got.Calls, want) || got.Reasoning != "Hm." || got.Text != "" || got.Finish != domain.FinishTools {
				t.Errorf("in one piece: %+v, %v", got, err)
			}
			l := &listener{}
			got, err = test.d.at(t, serve(t, says(200, asEvents, stream(test.pieces...))).URL, long).Generate(t.Context(), test.d.asked(), l)
			calls := make([]domain.ToolCall, 2)
			for _, piece := range l.tools {
				call := &calls[piece.Index]
				if piece.ID != "" {
					call.ID = piece.ID
				}
				call.Name += piece.Name
				call.Arguments += piece.Arguments
			}
			if err != nil || !reflect.DeepEqual(calls, want) || l.thought.String() != "Hm." || l.text.String() != "" || got.Finish != domain.FinishTools {
				t.Errorf("streamed: %+v, %q, %+v, %v", calls, l.thought.String(), got, err)
			}
		})
	}
}

func TestWhyAnswersEnd(t *testing.T) {
	chat, messages, responses := tongues()[0], tongues()[1], tongues()[2]
	for whole, test := range map[string]struct {
		d    tongue
		want domain.Finish
	}{
		`{"choices":[{"message":{"refusal":"No."},"finish_reason":"stop"}]}`:                            {chat, domain.FinishStop},
		`{"choices":[{"message":{},"finish_reason":"length"}]}`:                                         {chat, domain.FinishLength},
		`{"choices":[{"message":{},"finish_reason":"content_filter"}]}`:                                 {chat, domain.FinishFilter},
		`{"type":"message","stop_reason":"max_tokens"}`:                                                 {messages, domain.FinishLength},
		`{"type":"message","stop_reason":"model_context_window_exceeded"}`:                              {messages, domain.FinishLength},
		`{"type":"message","stop_reason":"refusal"}`:                                                    {messages, domain.FinishFilter},
		`{"type":"message","stop_reason":"stop_sequence"}`:                                              {messages, domain.FinishStop},
		`{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"}}`:                   {responses, domain.FinishLength},
		`{"status":"incomplete","incomplete_details":{"reason":"content_filter"},"error":null}`:         {responses, domain.FinishFilter},
		`{"status":"completed","output":[{"type":"message","content":[{"type":"output_text"}]}],"x":1}`: {responses, domain.FinishStop},
	} {
		got, err := test.d.at(t, serve(t, says(200, asJSON, whole)).URL, long).Generate(t.Context(), test.d.asked(), nil)
		if err != nil || got.Finish != test.want {
			t.Errorf("%s: %+v, %v", whole, got, err)
		}
	}
}

// TestCountsMayBeOdd proves that what a provider says of its counts makes no nonsense of ours.
func TestCountsMayBeOdd(t *testing.T) {
	d := tongues()[0]
	for usage, want := range map[string]domain.Usage{
		`null`: {}, `{}`: {},
		`{"prompt_tokens":3,"completion_tokens":-1,"prompt_tokens_details":{"cached_tokens":5}}`: {CachedRead: 5, Source: domain.Provided},
		`{"prompt_tokens":3,"completion_tokens_details":{"reasoning_tokens":2},"cost":0.25}`:     {Input: 3, Reasoning: 2, Source: domain.Provided, Cost: domain.Dollar / 4},
		`{"prompt_tokens":3,"cost":"much"}`:                                                      {Input: 3, Source: domain.Provided},
		`{"prompt_tokens":3,"cost":-4}`:                                                          {Input: 3, Source: domain.Provided},
		`{"prompt_tokens":3,"cost":1e300}`:                                                       {Input: 3, Source: domain.Provided},
	} {
		whole := `{"choices":[{"message":{"content":"x"},"finish_reason":"stop"}],"usage":` + usage + `}`
		got, err := d.at(t, serve(t, says(200, asJSON, whole)).URL, long).Generate(t.Context(), d.asked(), nil)
		if err != nil || got.Usage != want {
			t.Errorf("%s: %+v, %v", usage, got.Usage, err)
		}
	}
}
