package auth

import (
	"errors"
	"strings"

	"github.com/omnistack/omnistack/platform/errs"
)

// Reason is why credentials were refused. It is the cause behind an errs.Unauthenticated error, for the log and for
// metrics; the client learns only whether a token was missing or invalid. Find it with errors.As.
type Reason string

// The reasons.
const (
	MissingToken     Reason = "missing_token"
	MalformedHeader  Reason = "malformed_authorization_header"
	MalformedToken   Reason = "malformed_token"
	RefusedHeader    Reason = "refused_token_header" // crit, jku, x5u, jwk, x5c and the like
	WrongType        Reason = "wrong_token_type"
	RefusedAlgorithm Reason = "refused_algorithm" // not on the list, or not the key's own
	UnknownIssuer    Reason = "unknown_issuer"
	UnknownKey       Reason = "unknown_key"
	InvalidSignature Reason = "invalid_signature"
	InvalidClaims    Reason = "invalid_claims" // one that is required is missing, or one has the wrong shape
	Expired          Reason = "token_expired"
	NotYetValid      Reason = "token_not_yet_valid"
	WrongAudience    Reason = "wrong_audience"
	WrongParty       Reason = "wrong_authorized_party"
	InactiveSession  Reason = "inactive_session" // its user has something to do before being signed in
	MalformedAPIKey  Reason = "bad_api_key"      // its length, a character or the checksum is wrong
	UnknownAPIKey    Reason = "unknown_api_key"  // never made, revoked or expired
)

// Error returns the reason's code.
func (r Reason) Error() string { return string(r) }

// refusal makes a Reason the error of the call. Other errors are of our side and stay as they are.
func refusal(err error) error {
	var reason Reason
	if !errors.As(err, &reason) {
		return err
	}
	if reason == MissingToken {
		return errs.New(errs.Unauthenticated, "Authentication is required").Because(reason)
	}
	return errs.New(errs.Unauthenticated, "The access token is not valid").Because(reason)
}

// Challenge returns the WWW-Authenticate header of the 401 that answers err (RFC 6750, section 3): without an error
// code when no token came, else with invalid_token.
func Challenge(err error) string {
	var reason Reason
	if !errors.As(err, &reason) || reason == MissingToken {
		return challenge
	}
	return challenge + `, error="invalid_token"`
}

// challenge is what every WWW-Authenticate header begins with.
const challenge = `Bearer realm="api"`

// BearerToken returns the token of an Authorization header (RFC 6750, section 2.1): the scheme in any case, one or more
// spaces, one token, nothing else. Without a header, or with another scheme, the error's Reason is MissingToken; a
// Bearer header of another shape is MalformedHeader. A request with two such headers must be refused by the caller.
func BearerToken(authorizationHeader string) (token string, err error) {
	scheme, rest, _ := strings.Cut(authorizationHeader, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", refusal(MissingToken)
	}
	token = strings.TrimLeft(rest, " ")
	if !isToken68(token) {
		return "", refusal(MalformedHeader)
	}
	return token, nil
}

// isToken68 tells whether s has the form of token68 (RFC 9110, section 11.2).
func isToken68(s string) bool {
	body := strings.TrimRight(s, "=")
	if body == "" {
		return false
	}
	for i := range len(body) {
		if c := body[i]; !isBase64URL(c) && c != '.' && c != '~' && c != '+' && c != '/' {
			return false
		}
	}
	return true
}

func isBase64URL(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_'
}
