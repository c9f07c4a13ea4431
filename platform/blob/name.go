package blob

import (
	"path"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxName is how many characters of a filename are kept. In a URL of S3 one of them may take 20 bytes.
const maxName = 150

// attachment returns the value of Content-Disposition that has a client save what it gets under the filename (RFC 6266). It has
// the name twice: in ASCII for old clients, and as it is (RFC 8187). What no filename should have is left out of both: paths,
// control characters, and marks that turn the direction of text, by which "exe.txt" can be shown for "txt.exe".
func attachment(filename string) string {
	name := safeName(filename)
	return `attachment; filename="` + plainName(name) + `"; filename*=UTF-8''` + encoded(name)
}

// safeName returns a name that can be one of a file, near to the given one.
func safeName(filename string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r == utf8.RuneError, strings.ContainsRune(`/\:*?<>|`, r):
			return '_'
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r), unicode.Is(unicode.Zl, r), unicode.Is(unicode.Zp, r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(filename, "_"))
	name = strings.TrimRight(strings.TrimSpace(name), ". ")
	if name == "" {
		return "file"
	}
	return shorten(name)
}

// shorten cuts a name that is too long, before its extension.
func shorten(name string) string {
	runes := []rune(name)
	if len(runes) <= maxName {
		return name
	}
	extension := []rune(path.Ext(name))
	if len(extension) > 20 {
		extension = nil
	}
	return string(runes[:maxName-len(extension)]) + string(extension)
}

// plainName returns the name as a quoted string of ASCII can hold it, without what has to be escaped, which clients don't agree on.
func plainName(name string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '"' || r == '%' {
			return '_'
		}
		return r
	}, name)
}

// encoded returns a text with all but the attr-char of RFC 8187, section 3.2.1, as percent signs and hexadecimal digits.
func encoded(text string) string {
	const digits = "0123456789ABCDEF"
	var out strings.Builder
	for i := range len(text) {
		c := text[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("!#$&+-.^_`|~", c) >= 0 {
			out.WriteByte(c)
			continue
		}
		out.WriteByte('%')
		out.WriteByte(digits[c>>4])
		out.WriteByte(digits[c&15])
	}
	return out.String()
}
