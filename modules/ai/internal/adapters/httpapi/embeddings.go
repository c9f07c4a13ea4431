package httpapi

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/omnistack/omnistack/modules/ai/internal/app"
	"github.com/omnistack/omnistack/modules/ai/internal/domain"
	"github.com/omnistack/omnistack/platform/httpserver"
)

// openAIEmbed is a body of Embeddings. What isn't here is passed over.
type openAIEmbed struct {
	Model      string         `json:"model"`
	Input      jsontext.Value `json:"input"` // a text or a list of texts
	Dimensions *int           `json:"dimensions"`
	Encoding   string         `json:"encoding_format"`
}

// mostInputs and mostDimensions are OpenAI's bounds.
const (
	mostInputs     = 2048
	mostDimensions = 3072
)

// readEmbed reads a body. What OpenAI would refuse, or nothing here can do, is errs.Malformed with details.param.
func readEmbed(body []byte) (model string, embed domain.Embed, err error) {
	var asked openAIEmbed
	if err := unmarshal(body, &asked); err != nil {
		return "", embed, err
	}
	var text string
	switch {
	case asked.Model == "" || len(asked.Model) > longestName:
		return "", embed, wrong("model", "You must name a model or a route")
	case jsonv2.Unmarshal(asked.Input, &text) == nil && asked.Input.Kind() == '"':
		embed.Inputs = []string{text}
	case asked.Input.Kind() != '[' || jsonv2.Unmarshal(asked.Input, &embed.Inputs) != nil:
		return "", embed, wrong("input", "It must be a text or a list of texts; tokens aren't taken here")
	}
	switch {
	case len(embed.Inputs) == 0 || len(embed.Inputs) > mostInputs || slices.Contains(embed.Inputs, ""):
		return "", embed, wrong("input", "There must be 1 to "+strconv.Itoa(mostInputs)+" texts, none of them empty")
	case asked.Dimensions != nil && (*asked.Dimensions < 1 || *asked.Dimensions > mostDimensions):
		return "", embed, wrong("dimensions", "It must be from 1 to "+strconv.Itoa(mostDimensions))
	case asked.Encoding != "" && asked.Encoding != "float" && asked.Encoding != "base64":
		return "", embed, wrong("encoding_format", "It must be float or base64")
	}
	if asked.Dimensions != nil {
		embed.Dimensions = *asked.Dimensions
	}
	embed.Base64 = asked.Encoding == "base64"
	return asked.Model, embed, nil
}

// EmbeddingList are vectors in OpenAI's words.
type EmbeddingList struct {
	Object string         `json:"object" enum:"list"`
	Data   []Vector       `json:"data" nullable:"false"`
	Model  string         `json:"model"`
	Usage  EmbeddingUsage `json:"usage"`
}

// Vector is one of them.
type Vector struct {
	Object    string          `json:"object" enum:"embedding"`
	Index     int             `json:"index" doc:"Of the input"`
	Embedding json.RawMessage `json:"embedding" doc:"A list of numbers or, with the encoding base64, a text"`
}

// EmbeddingUsage is what they took.
type EmbeddingUsage struct {
	Prompt int `json:"prompt_tokens"`
	Total  int `json:"total_tokens"`
}

func (a *API) embeddings(ctx context.Context, in *OpenAIInput) (*httpserver.Object[EmbeddingList], error) {
	model, embed, err := readEmbed(in.RawBody)
	if err != nil {
		return nil, err
	}
	who := httpserver.Principal(ctx)
	ask := &app.Ask{User: who.Scope(), Plan: who.Plan, Endpoint: domain.Vectors, Model: model, Call: domain.Call{Embed: embed}}
	choice, err := a.app.Choose(ask)
	if err != nil {
		return nil, ofModel(err)
	}
	answer, err := a.app.Generate(ctx, ask, choice, nil)
	if err != nil {
		return nil, err
	}
	list := EmbeddingList{
		Object: "list", Data: make([]Vector, len(answer.Result.Vectors)), Model: answer.Model.ID,
		Usage: EmbeddingUsage{answer.Result.Usage.Prompt(), answer.Result.Usage.Total()},
	}
	for i, vector := range answer.Result.Vectors {
		list.Data[i] = Vector{Object: "embedding", Index: i, Embedding: vector}
	}
	return &httpserver.Object[EmbeddingList]{Body: list}, nil
}
