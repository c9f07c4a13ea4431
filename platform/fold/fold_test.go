package fold_test

import (
	"testing"
	"unicode"

	"github.com/omnistack/omnistack/platform/fold"
)

func TestTextMakesSpellingsOne(t *testing.T) {
	for _, pair := range [][2]string{
		{"Straße", "STRASSE"},
		{"ｓtrasse", "strasse"},
		{"e\u0301", "É"},
		{"ΣΊΣΥΦΟΣ", "σίσυφος"},
		{"🚀", "🚀"},
		{"Ꮦ", "ꮦ"},
		{"Ᏸ", "ᏸ"},
	} {
		if a, b := fold.Text(pair[0]), fold.Text(pair[1]); a != b {
			t.Errorf("%q folds to %q, %q to %q", pair[0], a, pair[1], b)
		}
	}
}

func FuzzTextIsStable(f *testing.F) {
	for _, seed := range []string{"", "Straße", "İ", "ŉ", "Ꮦꮦ", "Ᏸᏸ", "\xff", "e\u0301"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if once := fold.Text(s); fold.Text(once) != once {
			t.Errorf("%q folds to %q, and that to %q", s, once, fold.Text(once))
		}
	})
}

func TestTextIsStableForEveryCharacter(t *testing.T) {
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if once := fold.Text(string(r)); fold.Text(once) != once {
			t.Errorf("%q folds to %q, and that to %q", r, once, fold.Text(once))
		}
	}
}
