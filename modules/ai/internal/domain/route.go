package domain

import (
	"slices"
	"strings"
)

// Auto is the route that is chosen by what is asked.
const Auto = "auto"

// Embedding is the route of models that make vectors.
const Embedding = "embedding"

// Choose returns the route for a call, by what stands in it, and why. The same call has the same route always, and nobody
// is asked. It looks at the last message of the user, and at how much there is in all.
func Choose(call *Call) (route, reason string) {
	var last string
	total := 0
	for i := range call.Messages {
		for _, part := range call.Messages[i].Parts {
			total += len(part.Text)
			if call.Messages[i].Role == User && part.Text != "" {
				last = part.Text
			}
		}
	}
	words := " " + strings.Join(strings.FieldsFunc(strings.ToLower(last), between), " ") + " "
	switch {
	case len(call.Tools) > 0:
		return "complex", "it calls tools"
	case strings.Contains(last, "```"):
		return "complex", "there is code in it"
	case has(words, fresh):
		return "search", "it asks for what is new"
	case total > 8000:
		return "complex", "it is long"
	case has(words, hard):
		return "complex", "it asks for reasons or a plan"
	case call.Format.JSON || call.Format.Schema != nil:
		return "moderate", "it asks for JSON"
	case total > 600:
		return "moderate", "it is more than a few sentences"
	}
	return "simple", "it is short"
}

// between tells what is between words.
func between(r rune) bool { return r < '0' || r > '9' && r < 'a' || r > 'z' && r < 128 }

var (
	fresh = []string{"today", "latest", "news", "right now", "this week", "currently", "search for", "look up", "yesterday"}
	hard  = []string{"analyse", "analyze", "prove", "design", "architecture", "compare", "step by step", "trade offs", "debug",
		"refactor", "derive", "evaluate", "strategy", "plan for"}
)

// has tells whether one of the phrases is among the words.
func has(words string, phrases []string) bool {
	return slices.ContainsFunc(phrases, func(phrase string) bool { return strings.Contains(words, " "+phrase+" ") })
}
