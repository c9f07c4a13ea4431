package httpapi

import (
	"reflect"
	"strings"
	"testing"

	"github.com/omnistack/omnistack/modules/ai/internal/domain"
	"github.com/omnistack/omnistack/platform/errs"
)

// chatWith returns a body that is right, with more in it.
func chatWith(more string) string {
	return `{"model": "m", "messages": [{"role": "user", "content": "Hello"}]` + more + `}`
}

func said(role domain.Role, text string) domain.Message {
	return domain.Message{Role: role, Parts: []domain.Part{{Text: text}}}
}

func TestWhatIsAskedInOpenAIsWords(t *testing.T) {
	hello := []domain.Message{said(domain.User, "Hello")}
	tool := []domain.Tool{{Name: "look", Description: "Looks", Parameters: []byte(`{"type": "object"}`), Strict: true}}
	const tools = `, "tools": [{"type": "function", "function": {"name": "look", "description": "Looks", "parameters": {"type": "object"}, "strict": true}}]`
	for name, test := range map[string]struct {
		body string
		want domain.Call
	}{
		"the least":         {chatWith(""), domain.Call{Messages: hello}},
		"what isn't known":  {chatWith(`, "seed": 1, "user": "u", "logit_bias": {}, "metadata": {"a": "b"}, "store": true, "n": 1, "service_tier": null`), domain.Call{Messages: hello}},
		"nulls":             {chatWith(`, "tools": null, "tool_choice": null, "stop": null, "temperature": null, "response_format": null, "max_tokens": null, "stream_options": null`), domain.Call{Messages: hello}},
		"numbers":           {chatWith(`, "temperature": 0, "top_p": 0.5, "max_tokens": 7`), domain.Call{Messages: hello, Temperature: new(0.0), TopP: new(0.5), MaxTokens: 7}},
		"the newer limit":   {chatWith(`, "max_tokens": 7, "max_completion_tokens": 9`), domain.Call{Messages: hello, MaxTokens: 9}},
		"one stop":          {chatWith(`, "stop": "END"`), domain.Call{Messages: hello, Stop: []string{"END"}}},
		"several stops":     {chatWith(`, "stop": ["a", "b"]`), domain.Call{Messages: hello, Stop: []string{"a", "b"}}},
		"an effort":         {chatWith(`, "reasoning_effort": "minimal"`), domain.Call{Messages: hello, Effort: "low"}},
		"tools":             {chatWith(tools), domain.Call{Messages: hello, Tools: tool}},
		"one tool at once":  {chatWith(tools + `, "parallel_tool_calls": false, "tool_choice": "required"`), domain.Call{Messages: hello, Tools: tool, Choice: domain.Choice{Mode: domain.ChooseRequired, Single: true}}},
		"no tool":           {chatWith(tools + `, "tool_choice": "none"`), domain.Call{Messages: hello, Tools: tool, Choice: domain.Choice{Mode: domain.ChooseNone}}},
		"any tool":          {chatWith(tools + `, "tool_choice": "auto"`), domain.Call{Messages: hello, Tools: tool}},
		"this tool":         {chatWith(tools + `, "tool_choice": {"type": "function", "function": {"name": "look"}}`), domain.Call{Messages: hello, Tools: tool, Choice: domain.Choice{Mode: domain.ChooseNamed, Name: "look"}}},
		"any text":          {chatWith(`, "response_format": {"type": "text"}`), domain.Call{Messages: hello}},
		"any JSON":          {chatWith(`, "response_format": {"type": "json_object"}`), domain.Call{Messages: hello, Format: domain.Format{JSON: true}}},
		"JSON of this form": {chatWith(`, "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {}, "strict": true}}`), domain.Call{Messages: hello, Format: domain.Format{JSON: true, Name: "n", Schema: []byte(`{}`), Strict: true}}},
		"a conversation": {`{"model": "m", "messages": [{"role": "developer", "content": "Be kind"}, {"role": "system", "content": "Be brief"},
			{"role": "user", "name": "bob", "content": [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}}]},
			{"role": "assistant", "content": null, "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}]},
			{"role": "tool", "tool_call_id": "c1", "content": "A cat"}, {"role": "assistant", "content": [{"type": "refusal", "refusal": "No"}]}]}`,
			domain.Call{Messages: []domain.Message{
				said(domain.System, "Be kind"), said(domain.System, "Be brief"),
				{Role: domain.User, Parts: []domain.Part{{Text: "What is it?"}, {Image: "https://example.com/a.png"}}},
				{Role: domain.Assistant, Calls: []domain.ToolCall{{ID: "c1", Name: "look", Arguments: "{}"}}},
				{Role: domain.ToolRole, CallID: "c1", Parts: []domain.Part{{Text: "A cat"}}}, said(domain.Assistant, "No"),
			}}},
	} {
		asked, err := readChat([]byte(test.body))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if !reflect.DeepEqual(asked.call, test.want) || asked.Model != "m" {
			t.Errorf("%s: got %+v\nwant %+v", name, asked.call, test.want)
		}
	}
	asked, err := readChat([]byte(chatWith(`, "stream": true, "stream_options": {"include_usage": true}`)))
	if err != nil || !asked.Stream || !asked.StreamOptions.IncludeUsage {
		t.Errorf("a stream is %+v, %v", asked, err)
	}
}

func TestWhatNobodyCanAskInOpenAIsWords(t *testing.T) {
	messages := func(text string) string { return `{"model": "m", "messages": [` + text + `]}` }
	for body, param := range map[string]string{
		`{"messages": [{"role": "user", "content": "Hello"}]}`:                          "model",
		`{"model": "` + strings.Repeat("m", 256) + `", "messages": [{"role": "user"}]}`: "model",
		`{"model": 7}`:                                 "model",
		`{"model": "m"}`:                               "messages",
		messages(""):                                   "messages",
		messages(`{"role": 7}`):                        "messages[0].role",
		messages(`{"role": "root"}`):                   "messages[0].role",
		messages(`{"role": "user"}`):                   "messages[0].content",
		messages(`{"role": "user", "content": []}`):    "messages[0].content",
		messages(`{"role": "user", "content": 7}`):     "messages[0].content",
		messages(`{"role": "user", "content": ["a"]}`): "messages[0].content",
		messages(`{"role": "user", "content": [{"type": "input_audio"}]}`):                                           "messages[0].content[0].type",
		messages(`{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}]}`): "messages[0].content[0].image_url",
		messages(`{"role": "tool", "content": "A cat"}`):                                                             "messages[0].tool_call_id",
		messages(`{"role": "user", "content": "a", "tool_calls": [{"id": "c"}]}`):                                    "messages[0].tool_calls",
		chatWith(`, "n": 2`):                            "n",
		chatWith(`, "temperature": 2.1`):                "temperature",
		chatWith(`, "temperature": "hot"`):              "temperature",
		chatWith(`, "top_p": -0.1`):                     "top_p",
		chatWith(`, "max_tokens": 0`):                   "max_tokens",
		chatWith(`, "max_completion_tokens": 1000001`):  "max_completion_tokens",
		chatWith(`, "reasoning_effort": "all"`):         "reasoning_effort",
		chatWith(`, "stop": 7`):                         "stop",
		chatWith(`, "stop": ""`):                        "stop",
		chatWith(`, "stop": ["a", "b", "c", "d", "e"]`): "stop",
		chatWith(`, "tools": [{"type": "web"}]`):        "tools[0].type",
		chatWith(`, "tools": [{"type": "function"}]`):   "tools[0].function.name",
		chatWith(`, "tools": [{"type": "function", "function": {"name": "a", "parameters": []}}]`): "tools[0].function.parameters",
		chatWith(`, "tool_choice": "look"`):                                                     "tool_choice",
		chatWith(`, "tool_choice": {"function": {"name": "none"}}`):                             "tool_choice",
		chatWith(`, "response_format": {"type": "xml"}`):                                        "response_format.type",
		chatWith(`, "response_format": {"type": "json_schema", "json_schema": {"schema": {}}}`): "response_format.json_schema",
		"":                 "",
		"{":                "",
		"\xff":             "",
		`{"a": 1, "a": 2}`: "",
	} {
		_, err := readChat([]byte(body))
		got, _ := errs.From(err).Details["param"].(string)
		if !errs.Is(err, errs.Malformed) || got != param {
			t.Errorf("%s: %v with the parameter %q, want %q", body, err, got, param)
		}
	}
}

func TestVectorsInOpenAIsWords(t *testing.T) {
	model, embed, err := readEmbed([]byte(`{"model": "m", "input": ["a", "b"], "dimensions": 3, "encoding_format": "base64", "user": "u"}`))
	if want := (domain.Embed{Inputs: []string{"a", "b"}, Dimensions: 3, Base64: true}); err != nil || model != "m" || !reflect.DeepEqual(embed, want) {
		t.Errorf("got %q, %+v, %v", model, embed, err)
	}
	if _, embed, err = readEmbed([]byte(`{"model": "m", "input": "a"}`)); err != nil || !reflect.DeepEqual(embed, domain.Embed{Inputs: []string{"a"}}) {
		t.Errorf("got %+v, %v", embed, err)
	}
	for body, param := range map[string]string{
		`{"input": "a"}`:                                          "model",
		`{"model": "m"}`:                                          "input",
		`{"model": "m", "input": 7}`:                              "input",
		`{"model": "m", "input": [7]}`:                            "input",
		`{"model": "m", "input": []}`:                             "input",
		`{"model": "m", "input": ["a", ""]}`:                      "input",
		`{"model": "m", "input": "a", "dimensions": 0}`:           "dimensions",
		`{"model": "m", "input": "a", "dimensions": "a"}`:         "dimensions",
		`{"model": "m", "input": "a", "encoding_format": "gzip"}`: "encoding_format",
		"[]": "",
	} {
		_, _, err := readEmbed([]byte(body))
		if got, _ := errs.From(err).Details["param"].(string); !errs.Is(err, errs.Malformed) || got != param {
			t.Errorf("%s: %v with the parameter %q, want %q", body, err, got, param)
		}
	}
}

// FuzzReadChat proves that no body makes the reader panic, and that what it takes can be asked.
func FuzzReadChat(f *testing.F) {
	for _, body := range []string{"", "{}", chatWith(""), chatWith(`, "stop": ["a"], "tool_choice": {}, "tools": [{}]`), chatWith(`, "messages": [{"role": "user", "content": [{}]}]`)} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		asked, err := readChat(body)
		if err != nil {
			if !errs.Is(err, errs.Malformed) {
				t.Errorf("got %v", err)
			}
			return
		}
		if asked.Model == "" || len(asked.call.Messages) != len(asked.Messages) || asked.call.MaxTokens < 0 || asked.call.PromptEstimate() < 1 {
			t.Errorf("%q is %+v", body, asked.call)
		}
	})
}
