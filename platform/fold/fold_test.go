package fold_test

import (
	"testing"

	"github.com/omnistack/omnistack/platform/fold"
)

func TestTextMakesSpellingsOne(t *testing.T) {
	for _, pair := range [][2]string{
		{"Straße", "STRASSE"},
		{"ｓtrasse", "strasse"},
		{"e\u0301", "É"},
		{"ΣΊΣΥΦΟΣ", "σίσυφος"},
		{"🚀", "🚀"},
	} {
		if a, b := fold.Text(pair[0]), fold.Text(pair[1]); a != b {
			t.Errorf("%q folds to %q, %q to %q", pair[0], a, pair[1], b)
		}
	}
}

func FuzzTextIsStable(f *testing.F) {
	for _, seed := range []string{"", "Straße", "İ", "ŉ", "\xff", "e\u0301"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if once := fold.Text(s); fold.Text(once) != once {
			t.Errorf("%q folds to %q, and that to %q", s, once, fold.Text(once))
		}
	})
}
