package simulator

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"
	"unicode"
)

// question is a request in either dialect.
type question struct {
	model    string
	fault    string // the name of the model's fault, empty for none
	stream   bool
	usage    bool // whether a stream tells it; OpenAI's only
	messages []message
	limit    int // of tokens, 0 for none
	stops    []string
	tools    []tool
	choice   choice
	one      bool    // whether at most one tool may be called
	byTurns  bool    // whether the arguments of several calls come by turns, or one call after the other
	shape    *schema // of a JSON object to answer with, nil for text

	prompt int
	seed   [sha256.Size]byte
}

// message is one of a conversation. The system's is the first.
type message struct {
	role    string
	text    string
	images  []string // their addresses or data
	calls   []toolCall
	results []string // the ids of the calls whose results are in the text
}

type tool struct {
	name   string
	schema *schema
}

type toolCall struct {
	id, name, arguments string
}

// choice says which tools are to be called.
type choice struct {
	how  string // auto, none, forced
	name string // the one tool that is forced, empty for any
}

const (
	choiceAuto   = "auto"
	choiceNone   = "none"
	choiceForced = "forced"
)

// weigh counts the prompt and finds the seed: the model and the messages, whatever their spelling in JSON.
func (q *question) weigh() {
	hash := sha256.New()
	bytes := 0
	add := func(texts ...string) {
		for _, text := range texts {
			_, _ = hash.Write(binary.BigEndian.AppendUint64(nil, uint64(len(text)))) // a hash takes everything
			_, _ = hash.Write([]byte(text))
		}
	}
	add(q.model)
	for _, m := range q.messages {
		add(m.role, m.text)
		bytes += len(m.text)
		for _, image := range m.images {
			add("image", image)
			q.prompt += imageTokens
		}
		for _, c := range m.calls {
			add("call", c.name, c.arguments)
			bytes += len(c.name) + len(c.arguments)
		}
	}
	q.prompt += textTokens(bytes)
	hash.Sum(q.seed[:0])
}

// called returns the tools that the answer calls.
func (q *question) called() []tool {
	if len(q.messages[len(q.messages)-1].results) > 0 || q.choice.how == choiceNone {
		return nil
	}
	if q.choice.how != choiceForced && !q.wantsTools() {
		return nil
	}
	called := q.tools
	if q.choice.name != "" {
		called = slices.DeleteFunc(slices.Clone(called), func(t tool) bool { return t.name != q.choice.name })
	}
	if q.one && len(called) > 1 {
		called = called[:1]
	}
	return called
}

// wantsTools tells whether the user's last message has the word tool in it.
func (q *question) wantsTools() bool {
	for _, m := range slices.Backward(q.messages) {
		if m.role == "user" {
			words := strings.FieldsFunc(strings.ToLower(m.text), func(r rune) bool { return !unicode.IsLetter(r) })
			return slices.Contains(words, "tool") || slices.Contains(words, "tools")
		}
	}
	return false
}

// offers tells whether there is a tool of that name.
func (q *question) offers(name string) bool {
	return slices.ContainsFunc(q.tools, func(t tool) bool { return t.name == name })
}

// mismatch is a call of a tool without its result, or a result without its call.
type mismatch struct {
	message int
	call    string
	isStray bool // a result without a call
}

// mismatched returns the first mismatch, nil for none. Results follow their calls: in the next message, or in the
// messages of the role tool that come next.
func mismatched(messages []message) *mismatch {
	var open []string
	asked := 0
	for i, m := range messages {
		for _, result := range m.results {
			at := slices.Index(open, result)
			if at < 0 {
				return &mismatch{message: i, call: result, isStray: true}
			}
			open = slices.Delete(open, at, at+1)
		}
		if len(open) > 0 && m.role != "tool" {
			break
		}
		for _, c := range m.calls {
			open, asked = append(open, c.id), i
		}
	}
	if len(open) > 0 {
		return &mismatch{message: asked, call: open[0]}
	}
	return nil
}
