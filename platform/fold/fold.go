// Package fold makes texts comparable: what a search column and a search term go through, so that both databases find
// and order the same. PostgreSQL and SQLite fold case differently, and SQLite only ASCII; here it is done once, in Go.
package fold

import (
	"strings"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Text returns s as it is for a compatibility caseless match (The Unicode Standard, section 3.13, D146, but composed),
// so that "Straße", "STRASSE" and "ｓtrasse" are one. Folding twice is part of the definition: what compatibility takes
// apart may have cases of its own.
func Text(s string) string { return once(once(norm.NFD.String(s))) }

func once(s string) string {
	return norm.NFKC.String(strings.Map(cherokee, cases.Fold().String(s)))
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
