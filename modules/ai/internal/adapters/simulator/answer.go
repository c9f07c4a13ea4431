package simulator

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// answer is what a model says.
type answer struct {
	id        string // hexadecimal digits
	pieces    []piece
	end       ending
	stop      string // the stop sequence that ended it
	citations []citation
}

// piece is one token of an answer.
type piece struct {
	kind kind
	call int    // which one, of calls only
	id   string // of the call, with its name only
	text string
}

type kind int

const (
	ofThought kind = iota
	ofText
	ofName // of a call, which begins with it
	ofArguments
)

type ending int

const (
	byItself ending = iota
	byStop
	byLimit
	byCalls
)

type citation struct {
	url, title string
}

// answerTo returns the answer to a question.
func answerTo(q *question) *answer {
	roll := &dice{seed: q.seed}
	a := &answer{id: hex.EncodeToString(q.seed[:12])}
	if q.model == reasoning {
		a.add(ofThought, roll.thought())
	}
	if called := q.called(); len(called) > 0 {
		a.end = byCalls
		a.callTools(q, roll, called)
	} else {
		a.say(q, roll)
	}
	if q.limit > 0 && len(a.pieces) > q.limit {
		a.pieces, a.end, a.stop = a.pieces[:q.limit], byLimit, ""
	}
	return a
}

// say answers in text, or in JSON of the shape that was asked for.
func (a *answer) say(q *question, roll *dice) {
	text := roll.text()
	switch {
	case q.shape != nil:
		text = q.shape.sample(roll)
	case q.fault == faultBigLine:
		words := split(text)
		words[undisturbed] = " " + strings.Repeat("x", bigLine)
		text = strings.Join(words, "")
	}
	if q.model == search {
		for range 2 {
			adjective, noun := roll.adjective(), roll.noun()
			a.citations = append(a.citations, citation{
				url: "https://example.com/" + adjective + "-" + noun, title: "The " + adjective + " " + noun,
			})
		}
	}
	if at, stop := firstOf(text, q.stops); at >= 0 {
		text, a.end, a.stop = text[:at], byStop, stop
	}
	a.add(ofText, text)
}

// callTools calls tools: one after the other, or all the names at once and then their arguments by turns.
func (a *answer) callTools(q *question, roll *dice, called []tool) {
	calls := make([][]piece, len(called))
	longest := 0
	for i, t := range called {
		calls[i] = []piece{{kind: ofName, call: i, id: fmt.Sprintf("%s%02d", a.id[:20], i), text: t.name}}
		for _, fragment := range split(t.schema.sample(roll)) {
			calls[i] = append(calls[i], piece{kind: ofArguments, call: i, text: fragment})
		}
		longest = max(longest, len(calls[i]))
	}
	if !q.byTurns {
		a.pieces = append(a.pieces, slices.Concat(calls...)...)
		return
	}
	for turn := range longest {
		for _, pieces := range calls {
			if turn < len(pieces) {
				a.pieces = append(a.pieces, pieces[turn])
			}
		}
	}
}

func (a *answer) add(of kind, text string) {
	for _, token := range split(text) {
		a.pieces = append(a.pieces, piece{kind: of, text: token})
	}
}

// all returns the pieces of a kind, joined.
func (a *answer) all(of kind) string {
	var text strings.Builder
	for _, p := range a.pieces {
		if p.kind == of {
			text.WriteString(p.text)
		}
	}
	return text.String()
}

// calls returns the calls of tools, as far as they were made.
func (a *answer) calls() []toolCall {
	var calls []toolCall
	for _, p := range a.pieces {
		switch p.kind {
		case ofName:
			calls = append(calls, toolCall{id: p.id, name: p.text})
		case ofArguments:
			calls[p.call].arguments += p.text
		case ofThought, ofText:
		}
	}
	return calls
}

// thoughts returns how many tokens are thoughts.
func (a *answer) thoughts() int {
	count := 0
	for _, p := range a.pieces {
		if p.kind == ofThought {
			count++
		}
	}
	return count
}

// firstOf returns where the first of the stops begins in a text, and which one it is; -1 for none.
func firstOf(text string, stops []string) (at int, first string) {
	at = -1
	for _, stop := range stops {
		if found := strings.Index(text, stop); stop != "" && found >= 0 && (at < 0 || found < at) {
			at, first = found, stop
		}
	}
	return at, first
}
