package simulator

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"slices"
	"strings"
)

// The numbers of a vector, as of OpenAI's text-embedding-3-large; its maximum of inputs too.
const (
	usualDimensions = 1536
	mostDimensions  = 3072
	mostInputs      = 2048
)

// embed answers with vectors: https://platform.openai.com/docs/api-reference/embeddings
func (s *Simulator) embed(w http.ResponseWriter, r *http.Request, as dialect) {
	x := s.exchange(w, r, as)
	defer x.leave()
	var in embeddingRequest
	if !x.understood(in.parse) || x.failedAtOnce() || !x.wait(0) {
		return
	}
	x.call.Prompt = in.tokens
	x.send(in.answer(x.q.fault))
}

type embeddingRequest struct {
	Model      string          `json:"model"`
	Input      json.RawMessage `json:"input"` // a text, a list of texts, a list of tokens, or a list of such lists
	Dimensions *int            `json:"dimensions"`
	Encoding   string          `json:"encoding_format"`

	inputs []string
	tokens int
}

func (in *embeddingRequest) parse(body []byte, q *question) *failure {
	err := json.Unmarshal(body, in)
	q.model = in.Model
	if wrong, is := errors.AsType[*json.UnmarshalTypeError](err); is {
		return openaiInvalid(wrong.Field, "invalid_type", "Invalid type for '"+wrong.Field+"': got "+wrong.Value+".")
	}
	switch {
	case err != nil:
		return openaiInvalid("", "", "We could not parse the JSON body of your request.")
	case in.Model == "":
		return openaiInvalid("", "", "you must provide a model parameter")
	case len(in.Input) == 0 || string(in.Input) == "null":
		return openaiInvalid("input", "missing_required_parameter", "Missing required parameter: 'input'.")
	case in.Model != embedding && (!strings.HasPrefix(in.Model, faulty) || !slices.Contains(catalog(), in.Model)):
		return openaiUnknownModel(in.Model)
	case in.Dimensions != nil && (*in.Dimensions < 1 || *in.Dimensions > mostDimensions):
		return openaiInvalid("dimensions", "invalid_value", "Invalid 'dimensions': expected a value from 1 to 3072.")
	case in.Encoding != "" && in.Encoding != "float" && in.Encoding != "base64":
		return openaiInvalid("encoding_format", "invalid_value", "Invalid 'encoding_format': expected float or base64.")
	case !in.read():
		return openaiInvalid("input", "invalid_type", "Invalid 'input': expected text or tokens, up to 2048 of them.")
	}
	return nil
}

// read reads the input, and counts its tokens: of texts together as of a prompt.
func (in *embeddingRequest) read() bool {
	var text string
	var tokens []int
	var lists [][]int
	bytes := 0
	switch {
	case json.Unmarshal(in.Input, &text) == nil:
		in.inputs, bytes = []string{text}, len(text)
	case json.Unmarshal(in.Input, &in.inputs) == nil:
		for _, one := range in.inputs {
			bytes += len(one)
		}
	case json.Unmarshal(in.Input, &tokens) == nil:
		in.inputs, in.tokens = []string{spelt(tokens)}, len(tokens)
	case json.Unmarshal(in.Input, &lists) == nil:
		in.inputs = nil
		for _, list := range lists {
			in.inputs, in.tokens = append(in.inputs, spelt(list)), in.tokens+len(list)
		}
	default:
		return false
	}
	in.tokens += textTokens(bytes)
	return len(in.inputs) > 0 && len(in.inputs) <= mostInputs && !slices.Contains(in.inputs, "")
}

// spelt makes words of tokens.
func spelt(tokens []int) string {
	text, _ := json.Marshal(tokens) // of numbers
	return strings.NewReplacer("[", "", "]", "", ",", " ").Replace(string(text))
}

func (in *embeddingRequest) answer(fault string) any {
	dimensions := usualDimensions
	if in.Dimensions != nil {
		dimensions = *in.Dimensions
	}
	data := make([]object, len(in.inputs))
	for i, input := range in.inputs {
		var value any = vector(input, dimensions)
		if in.Encoding == "base64" {
			value = packed(vector(input, dimensions))
		}
		data[i] = object{"object": "embedding", "index": i, "embedding": value}
	}
	if fault == faultEmptyChoices {
		data = []object{}
	}
	answer := object{"object": "list", "data": data, "model": in.Model}
	if fault != faultNoUsage {
		answer["usage"] = object{"prompt_tokens": in.tokens, "total_tokens": in.tokens}
	}
	return answer
}

// vector returns a vector of length 1: the sum of those of its words, so that texts that share words lie near each other.
func vector(text string, dimensions int) []float32 {
	sum := make([]float64, dimensions)
	words := strings.Fields(strings.ToLower(text))
	if len(words) == 0 {
		words = []string{text}
	}
	for _, word := range words {
		seed := sha256.Sum256([]byte(word))
		state := binary.BigEndian.Uint64(seed[:])
		for i := range sum {
			state += 0x9e3779b97f4a7c15
			sum[i] += float64(int64(mixed(state))) //nolint:gosec // any number will do, and half of them are to be negative
		}
	}
	length := 0.0
	for _, value := range sum {
		length += value * value
	}
	length = math.Sqrt(length)
	unit := make([]float32, dimensions)
	for i, value := range sum {
		unit[i] = float32(value / length)
	}
	return unit
}

// mixed is a step of SplitMix64 (Steele, Lea and Flood, Fast splittable pseudorandom number generators, 2014), which is
// quicker than a hash for each number.
func mixed(state uint64) uint64 {
	state = (state ^ state>>30) * 0xbf58476d1ce4e5b9
	state = (state ^ state>>27) * 0x94d049bb133111eb
	return state ^ state>>31
}

// packed returns a vector as OpenAI packs it: base64 of little-endian float32.
func packed(vector []float32) string {
	bytes := make([]byte, 0, 4*len(vector))
	for _, value := range vector {
		bytes = binary.LittleEndian.AppendUint32(bytes, math.Float32bits(value))
	}
	return base64.StdEncoding.EncodeToString(bytes)
}
