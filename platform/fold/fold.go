// Package fold makes texts comparable: what a search column and a search term go through, so that both databases find
// and order the same. PostgreSQL and SQLite fold case differently, and SQLite only ASCII; here it is done once, in Go.
package fold

import (
	"strings"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Text returns s in compatibility composition (NFKC, Unicode Annex 15) with full case folding, so that "Straße",
// "STRASSE" and "ｓtrasse" are one.
func Text(s string) string {
	folded := cases.Fold().String(norm.NFKC.String(s))
	return norm.NFKC.String(strings.Map(cherokee, folded))
}

// cherokee maps small letters to capital ones, as Unicode's CaseFolding.txt has it for this script alone. x/text swaps
// the two instead, so that a folded text would fold into another.
func cherokee(r rune) rune {
	switch {
	case 'ꭰ' <= r && r <= 'ꮿ':
		return r - 'ꭰ' + 'Ꭰ'
	case 'ᏸ' <= r && r <= 'ᏽ':
		return r - 'ᏸ' + 'Ᏸ'
	}
	return r
}
