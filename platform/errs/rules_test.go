package errs_test

import (
	"strings"
	"testing"

	"github.com/omnistack/omnistack/platform/errs"
)

func TestRules(t *testing.T) {
	line := func(text string) []errs.Field { return errs.Line("name", text, 5) }
	text := func(text string) []errs.Field { return errs.Text("name", &text, 5) }
	for name, test := range map[string]struct {
		got  []errs.Field
		want string
	}{
		"a line":                    {line("Ada 1"), ""},
		"a line from the right":     {line("שלום"), ""},
		"characters, not bytes":     {line("éééé🚀"), ""},
		"no line":                   {line(""), "must not be blank"},
		"a line of spaces":          {line(" \t "), "must not be blank"},
		"a line without ink":        {line("\u200b\u202e"), "must not be blank"},
		"a long line":               {line(strings.Repeat("é", 6)), "must have at most 5 characters"},
		"two lines":                 {line("a\nb"), "must hold no control characters"},
		"no text":                   {errs.Text("name", nil, 5), ""},
		"an empty text":             {text(""), ""},
		"a text of lines":           {text("a\nbéé"), ""},
		"a long text":               {text("a\nbééé"), "must have at most 5 characters"},
		"a long line of two faults": {line("abcde\n"), "must have at most 5 characters"},
	} {
		var message string
		for _, broken := range test.got {
			if broken.Name != "name" {
				t.Errorf("%s: the field is %s", name, broken.Name)
			}
			message += broken.Message
		}
		if message != test.want {
			t.Errorf("%s: got %q, want %q", name, message, test.want)
		}
	}
}
