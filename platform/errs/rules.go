package errs

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Line returns what is wrong with a text of one line that people name something by: it must not be blank, and hold at most
// so many characters (Unicode code points) and no control characters.
func Line(field, text string, most int) []Field {
	switch {
	case !strings.ContainsFunc(text, visible):
		return []Field{{Name: field, Message: "must not be blank"}}
	case utf8.RuneCountInString(text) > most:
		return []Field{{Name: field, Message: fmt.Sprintf("must have at most %d characters", most)}}
	case strings.ContainsFunc(text, unicode.IsControl):
		return []Field{{Name: field, Message: "must hold no control characters"}}
	}
	return nil
}

// Text returns what is wrong with a text of any number of lines: it may hold at most so many characters. Nil is none.
func Text(field string, text *string, most int) []Field {
	if text != nil && utf8.RuneCountInString(*text) > most {
		return []Field{{Name: field, Message: fmt.Sprintf("must have at most %d characters", most)}}
	}
	return nil
}

// visible tells whether a character leaves ink: spaces, and marks such as a direction or a zero width, don't.
func visible(r rune) bool { return unicode.IsGraphic(r) && !unicode.IsSpace(r) }
