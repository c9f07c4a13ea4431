package langchain

import (
	"encoding/json"

	jsonv2 "github.com/go-json-experiment/json"

	"github.com/omnistack/omnistack/modules/ai/internal/app"
	"github.com/omnistack/omnistack/modules/ai/internal/domain"
)

// embeddings is OpenAI's API for vectors, which go through as they are.
// Source: https://platform.openai.com/docs/api-reference/embeddings
type embeddings struct{ inputs int }

type embeddingsRequest struct {
	Model      string   `json:"model"`
	Input      []string `json:"input"`
	Dimensions int      `json:"dimensions,omitzero"`
	Encoding   string   `json:"encoding_format"`
}

func (embeddings) request(call *domain.Call, _ bool) (string, any) {
	asked := embeddingsRequest{Model: call.Model.ID, Input: call.Embed.Inputs, Dimensions: call.Embed.Dimensions, Encoding: "float"}
	if call.Embed.Base64 {
		asked.Encoding = "base64"
	}
	return "/embeddings", asked
}

type embeddingsAnswer struct {
	Model string `json:"model"`
	Data  []struct {
		Index  int             `json:"index"`
		Vector json.RawMessage `json:"embedding"`
	} `json:"data"`
	Usage *struct {
		Prompt int `json:"prompt_tokens"`
	} `json:"usage"`
	Error *refusal `json:"error"`
}

func (e embeddings) answer(body []byte) (domain.Result, error) {
	var said embeddingsAnswer
	if err := jsonv2.Unmarshal(body, &said, loose()); err != nil {
		return domain.Result{}, errGarbled
	}
	if said.Error != nil {
		return domain.Result{}, said.Error
	}
	result := domain.Result{Model: said.Model, Finish: domain.FinishStop, Vectors: make([]json.RawMessage, len(said.Data))}
	for _, one := range said.Data { // in their order, or not
		if one.Index < 0 || one.Index >= len(said.Data) || result.Vectors[one.Index] != nil || len(one.Vector) == 0 {
			return domain.Result{}, errGarbled
		}
		result.Vectors[one.Index] = one.Vector
	}
	if len(result.Vectors) != e.inputs {
		return domain.Result{}, errGarbled
	}
	if said.Usage != nil {
		result.Usage = domain.Usage{Input: said.Usage.Prompt, Source: domain.Provided}
	}
	return result, nil
}

// stream is never asked for.
func (embeddings) stream(app.Sink) streaming { return nil }
