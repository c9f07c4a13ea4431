package langchain

import (
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/omnistack/omnistack/modules/ai/internal/app"
	"github.com/omnistack/omnistack/modules/ai/internal/domain"
)

// responses is Perplexity's Agent API, in the shapes of OpenAI's Responses. It answers with texts: no tool of the caller's is
// called, and no image is taken.
type responses struct{}

type responsesRequest struct {
	Model        string          `json:"model"`
	Instructions string          `json:"instructions,omitempty"`
	Input        []responsesTurn `json:"input"`
	Tools        []named         `json:"tools"`
	MaxTokens    int             `json:"max_output_tokens,omitzero"`
	Temperature  *float64        `json:"temperature,omitzero"`
	TopP         *float64        `json:"top_p,omitzero"`
	Stream       bool            `json:"stream,omitzero"`
}

type responsesTurn struct {
	Type    string      `json:"type"`
	Role    domain.Role `json:"role"`
	Content string      `json:"content"`
}

func (responses) request(call *domain.Call, stream bool) (string, any) {
	r := responsesRequest{
		Model: "perplexity/" + call.Model.ID, Tools: []named{{Type: "web_search"}}, MaxTokens: call.MaxTokens, Stream: stream,
	}
	for i := range call.Messages {
		message := &call.Messages[i]
		var texts []string
		for _, part := range message.Parts {
			texts = append(texts, part.Text)
		}
		text := strings.Join(texts, "\n\n")
		if message.Role != domain.System {
			r.Input = append(r.Input, responsesTurn{"message", message.Role, text})
			continue
		}
		if r.Instructions != "" {
			text = r.Instructions + "\n\n" + text
		}
		r.Instructions = text
	}
	if call.Model.Accepts.Temperature {
		r.Temperature = call.Temperature
	}
	if call.Model.Accepts.TopP {
		r.TopP = call.TopP
	}
	return "/agent", r
}

type responsesAnswer struct {
	ID     string   `json:"id"`
	Model  string   `json:"model"`
	Status string   `json:"status"`
	Error  *refusal `json:"error"`
	Output []struct {
		Type    string `json:"type"`
		Content []struct {
			Type        string   `json:"type"`
			Text        string   `json:"text"`
			Annotations []source `json:"annotations"`
		} `json:"content"`
		Results []source `json:"results"`
	} `json:"output"`
	Incomplete *struct {
		Reason string `json:"reason"`
	} `json:"incomplete_details"`
	Usage *responsesUsage `json:"usage"`
}

type source struct {
	URL string `json:"url"`
}

type responsesUsage struct {
	Input        int `json:"input_tokens"`
	Output       int `json:"output_tokens"`
	InputDetails struct {
		Cached  int `json:"cached_tokens"`
		Read    int `json:"cache_read_input_tokens"`
		Written int `json:"cache_creation_input_tokens"`
	} `json:"input_tokens_details"`
	OutputDetails struct {
		Reasoning int `json:"reasoning_tokens"`
	} `json:"output_tokens_details"`
	Cost jsontext.Value `json:"cost"`
}

// ended returns the result of an answer that says that it ended.
func (a *responsesAnswer) ended() (domain.Result, error) {
	if a.Error != nil {
		return domain.Result{}, a.Error
	}
	result := domain.Result{ID: a.ID, Model: strings.TrimPrefix(a.Model, "perplexity/"), Finish: domain.FinishStop}
	switch {
	case a.Status == "incomplete" && a.Incomplete != nil && a.Incomplete.Reason == "content_filter":
		result.Finish = domain.FinishFilter
	case a.Status == "incomplete":
		result.Finish = domain.FinishLength
	case a.Status != "completed":
		return domain.Result{}, errNotAnswer
	}
	if u := a.Usage; u != nil {
		read, written := max(u.InputDetails.Cached, u.InputDetails.Read), u.InputDetails.Written
		result.Usage = counted(domain.Usage{
			Input: u.Input - read - written, CachedRead: read, CachedWrite: written, Output: u.Output,
			Reasoning: u.OutputDetails.Reasoning, Cost: dollars(u.Cost),
		})
	}
	var text strings.Builder
	cited := map[string]bool{}
	cite := func(sources []source) {
		for _, s := range sources {
			if s.URL != "" && !cited[s.URL] {
				cited[s.URL] = true
				result.Citations = append(result.Citations, s.URL)
			}
		}
	}
	for _, item := range a.Output {
		cite(item.Results)
		for _, part := range item.Content {
			text.WriteString(part.Text)
			cite(part.Annotations)
		}
	}
	result.Text = text.String()
	return result, nil
}

func (responses) answer(body []byte) (domain.Result, error) {
	var a responsesAnswer
	if err := jsonv2.Unmarshal(body, &a, loose()); err != nil {
		return domain.Result{}, errGarbled
	}
	return a.ended()
}

func (responses) stream(sink app.Sink) streaming { return &responsesStreaming{sink: sink} }

type responsesStreaming struct {
	sink app.Sink
	so   domain.Result
}

func (s *responsesStreaming) result() domain.Result { return s.so }

func (s *responsesStreaming) event(raw event) (bool, error) {
	var e struct {
		Type     string           `json:"type"`
		Delta    jsontext.Value   `json:"delta"` // a text where it is a text's
		Response *responsesAnswer `json:"response"`
		Error    *refusal         `json:"error"`
	}
	if string(raw.data) == "[DONE]" {
		return false, errNotAnswer // what is whole has ended before
	}
	if err := jsonv2.Unmarshal(raw.data, &e, loose()); err != nil {
		return false, errGarbled
	}
	switch e.Type {
	case "response.output_text.delta":
		var text string
		if err := jsonv2.Unmarshal(e.Delta, &text, loose()); err != nil {
			return false, errGarbled
		}
		if text != "" {
			return false, s.sink.Text(text)
		}
	case "response.completed", "response.incomplete":
		if e.Response == nil {
			return false, errNotAnswer
		}
		ended, err := e.Response.ended()
		ended.Text = "" // it went to the sink
		s.so = ended
		return err == nil, err
	case "response.failed", "error":
		if e.Error == nil && e.Response != nil {
			e.Error = e.Response.Error
		}
		if e.Error == nil {
			e.Error = &refusal{Type: "error"}
		}
		return false, e.Error
	}
	return false, nil
}
