package domain

import (
	"regexp"
	"slices"
	"strings"
)

// Redaction masks what texts hold of people. Its zero value masks nothing.
type Redaction struct{ masks []mask }

// mask is what one kind of personal data looks like.
type mask struct {
	form  *regexp.Regexp
	is    func(text string) bool // nil when all that has the form is meant
	place string                 // what is put in its place
}

// kinds are the kinds that can be masked. A card comes before a phone, which it looks like.
var kinds = []struct {
	name string
	mask mask
}{
	{"email", mask{form: regexp.MustCompile(`[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+`), place: "[email]"}},
	{"card", mask{form: regexp.MustCompile(`\b\d(?:[ -]?\d){12,18}\b`), is: luhn, place: "[card]"}},
	{"phone", mask{form: regexp.MustCompile(`(?:\+|\b00)\d{1,3}(?:[ ().-]*\d){6,12}\b`), place: "[phone]"}},
}

// RedactionKinds returns the names of what can be masked: addresses of mail, numbers of cards, and phone numbers with the code of
// their country.
func RedactionKinds() (names []string) {
	for _, kind := range kinds {
		names = append(names, kind.name)
	}
	return names
}

// NewRedaction returns a redaction of the kinds of those names. Others are passed over.
func NewRedaction(names ...string) Redaction {
	var r Redaction
	for _, kind := range kinds {
		if slices.Contains(names, kind.name) {
			r.masks = append(r.masks, kind.mask)
		}
	}
	return r
}

// None tells whether nothing is masked.
func (r Redaction) None() bool { return len(r.masks) == 0 }

// Text returns the text with what is masked in its place.
func (r Redaction) Text(text string) string {
	for _, m := range r.masks {
		text = m.form.ReplaceAllStringFunc(text, func(found string) string {
			if m.is != nil && !m.is(found) {
				return found
			}
			return m.place
		})
	}
	return text
}

// luhn tells whether digits are the number of a card (ISO/IEC 7812-1, annex B).
func luhn(text string) bool {
	sum, double := 0, false
	for i := len(text) - 1; i >= 0; i-- {
		if text[i] < '0' || text[i] > '9' {
			continue
		}
		digit := int(text[i] - '0')
		if double {
			if digit *= 2; digit > 9 {
				digit -= 9
			}
		}
		sum, double = sum+digit, !double
	}
	return sum%10 == 0
}

// Redacted returns a copy of the call whose texts are masked. Its tools and schemas are the developer's, and stay.
func (r Redaction) Redacted(call *Call) *Call {
	masked := *call
	masked.Messages = slices.Clone(call.Messages)
	for i := range masked.Messages {
		message := &masked.Messages[i]
		message.Parts, message.Calls = slices.Clone(message.Parts), slices.Clone(message.Calls)
		for j := range message.Parts {
			message.Parts[j].Text = r.Text(message.Parts[j].Text)
		}
		for j := range message.Calls {
			message.Calls[j].Arguments = r.Text(message.Calls[j].Arguments)
		}
	}
	masked.Embed.Inputs = slices.Clone(call.Embed.Inputs)
	for i := range masked.Embed.Inputs {
		masked.Embed.Inputs[i] = r.Text(masked.Embed.Inputs[i])
	}
	return &masked
}

// undecided is the end of a text that may be the beginning of what is masked: a word, or digits with what stands between them.
var undecided = regexp.MustCompile(`(?:[+(]?\d[\d ().-]*)?[^\s]*$`)

// longestUndecided bounds how much of a stream is held back.
const longestUndecided = 256

// Split returns a text in two: what can be masked now, and what has to wait for more.
func (r Redaction) Split(text string) (now, later string) {
	at := undecided.FindStringIndex(text)[0]
	if len(text)-at > longestUndecided {
		at = len(text)
	}
	return text[:at], strings.Clone(text[at:])
}
