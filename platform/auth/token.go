package auth

import (
	"encoding/base64"
	"math"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxToken is the longest token that is looked at, in bytes. Cookies and proxies stop at 8 KiB too.
const maxToken = 8 << 10

// token is a JWT taken apart, with nothing verified.
type token struct {
	header       header
	claims       claims
	signingInput []byte
	signature    []byte
}

// header is what the JOSE header may hold that matters (RFC 7515, section 4.1). The raw ones are refused when present:
// they name keys to trust, change what is signed, or must be understood and aren't.
type header struct {
	Algorithm string         `json:"alg"`
	KeyID     string         `json:"kid"`
	Type      string         `json:"typ"`
	Critical  jsontext.Value `json:"crit"`
	KeySetURL jsontext.Value `json:"jku"`
	Key       jsontext.Value `json:"jwk"`
	ChainURL  jsontext.Value `json:"x5u"`
	Chain     jsontext.Value `json:"x5c"`
	Unencoded jsontext.Value `json:"b64"`
	Encrypted jsontext.Value `json:"enc"`
}

// parseToken takes a token in compact form apart. Its error is a Reason.
func parseToken(text string) (token, error) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return token{}, MalformedToken
	}
	var decoded [3][]byte
	for i, part := range parts {
		raw, ok := decodeBase64URL(part)
		if !ok {
			return token{}, MalformedToken
		}
		decoded[i] = raw
	}

	parsed := token{signature: decoded[2], signingInput: []byte(text[:len(text)-len(parts[2])-1])}
	if err := parsed.header.parse(decoded[0]); err != nil {
		return token{}, err
	}
	// Duplicate names and invalid UTF-8 are errors of this decoder, at any depth.
	if err := json.Unmarshal(decoded[1], &parsed.claims); err != nil {
		return token{}, MalformedToken
	}
	return parsed, nil
}

// decodeBase64URL decodes a part that isn't empty and is spelled the one right way. Go's decoder skips line breaks, so
// the alphabet is checked first.
func decodeBase64URL(part string) ([]byte, bool) {
	for i := range len(part) {
		if !isBase64URL(part[i]) {
			return nil, false
		}
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(part)
	return raw, err == nil && len(raw) > 0
}

func (h *header) parse(raw []byte) error {
	if err := json.Unmarshal(raw, h); err != nil {
		return MalformedToken
	}
	for _, refused := range []jsontext.Value{h.Critical, h.KeySetURL, h.Key, h.ChainURL, h.Chain, h.Unencoded, h.Encrypted} {
		if refused != nil {
			return RefusedHeader
		}
	}
	switch strings.ToLower(h.Type) {
	case "", "jwt", "at+jwt", "application/at+jwt": // RFC 7519, section 5.1; RFC 9068, section 4
		return nil
	}
	return WrongType
}

// claims are the members of the claim set, each undecoded.
type claims map[string]jsontext.Value

// text returns the claim at path, "" when it is no string.
func (c claims) text(path string) string {
	var s string
	if json.Unmarshal(c.at(path), &s) != nil {
		return ""
	}
	return s
}

// texts returns the claim at path: a string as a list of one, or an array of strings; nil for anything else.
func (c claims) texts(path string) []string {
	raw := c.at(path)
	if raw.Kind() == '"' {
		return []string{c.text(path)}
	}
	var list []string
	if json.Unmarshal(raw, &list) != nil {
		return nil
	}
	return list
}

// lasting is the last NumericDate that is accepted: the end of the year 9999.
const lasting = 253402300799

// date returns the NumericDate (RFC 7519, section 2) called name, and whether there is one. A value of another shape,
// or not between 1970 and 9999, is InvalidClaims.
func (c claims) date(name string) (time.Time, bool, error) {
	raw, found := c[name]
	if !found {
		return time.Time{}, false, nil
	}
	var seconds float64
	if raw.Kind() != '0' || json.Unmarshal(raw, &seconds) != nil || seconds < 0 || seconds > lasting {
		return time.Time{}, false, InvalidClaims
	}
	whole, fraction := math.Modf(seconds)
	return time.Unix(int64(whole), int64(fraction*1e9)).UTC(), true, nil
}

// at returns the raw claim at path, nil for none.
func (c claims) at(path string) jsontext.Value {
	if raw, found := c[path]; found {
		return raw
	}
	name, rest, nested := strings.Cut(path, ".")
	if !nested {
		return nil
	}
	var inner claims
	if json.Unmarshal(c[name], &inner) != nil {
		return nil
	}
	return inner.at(rest)
}

// identity reads the profile that the claims hold at the paths. What is unfit to store or show is left out.
func (c claims) identity(paths ClaimPaths) Identity {
	who := Identity{
		Name:      plain(c.text(paths.Name), maxName),
		AvatarURL: webURL(c.text(paths.Avatar)),
		Session:   plain(c.text(paths.Session), maxSession),
	}
	if !userEdited(paths.Email) {
		who.Email = plain(c.text(paths.Email), maxEmail)
	}
	if !userEdited(paths.EmailVerified) && who.Email != "" {
		_ = json.Unmarshal(c.at(paths.EmailVerified), &who.EmailVerified) // what is no boolean stays false
	}
	if userEdited(paths.Role) {
		return who
	}
	for _, name := range c.texts(paths.Role) {
		if role, known := ParseRole(name); known && !who.Role.Includes(role) {
			who.Role = role
		}
	}
	return who
}

const (
	maxEmail = 320 // bytes: the longest local part and domain of RFC 5321, section 4.5.3.1
	maxName  = 255 // bytes

	maxSession = 255 // bytes
)

// plain returns s, or "" when it is longer than limit bytes or holds a control character, which PostgreSQL refuses (NUL)
// and terminals obey.
func plain(s string, limit int) string {
	if len(s) > limit || strings.ContainsFunc(s, unicode.IsControl) {
		return ""
	}
	return s
}

// webURL returns s when it is an absolute http or https URL, else "".
func webURL(s string) string {
	parsed, err := url.Parse(plain(s, 2048))
	if err != nil || parsed.Host == "" || parsed.Scheme != "https" && parsed.Scheme != "http" {
		return ""
	}
	return s
}

// validSubject tells whether s can be a subject: 1 to 255 printable characters of ASCII, to which OpenID Connect Core
// (section 2) limits it.
func validSubject(s string) bool {
	if s == "" || len(s) > 255 {
		return false
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
