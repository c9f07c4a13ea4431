// Package fold makes texts comparable: what a search column and a search term go through, so that both databases find
// and order the same. PostgreSQL and SQLite fold case differently, and SQLite only ASCII; here it is done once, in Go.
package fold

import (
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Text returns s in compatibility composition (NFKC, Unicode Annex 15) with full case folding, so that "Straße",
// "STRASSE" and "ｓtrasse" are one.
func Text(s string) string {
	return norm.NFKC.String(cases.Fold().String(norm.NFKC.String(s)))
}
