package domain

import "time"

// LoginWindow is the time after a login within which there is no other one. Tokens are renewed within it.
const LoginWindow = 30 * time.Minute

// IsLogin tells whether the user signed in anew to get a token. That is so for the first token, and for one that was issued
// more than LoginWindow after the last login, unless it belongs to the session of that login: then it was only renewed. An
// issuer that names no sessions is believed to have seen the user again. Who uses several sessions in turn may be counted once
// in the window: only the last session is remembered.
func (u User) IsLogin(claims Claims) bool {
	switch {
	case u.LastLoginAt == nil:
		return true
	case claims.Session != "" && claims.Session == u.LastSession:
		return false
	}
	return claims.IssuedAt.After(u.LastLoginAt.Add(LoginWindow))
}

// LoginAt returns when a user signed in who came with these claims: when the token was issued, or now if it doesn't say, or
// if the issuer's clock is ahead.
func LoginAt(claims Claims, now time.Time) time.Time {
	if claims.IssuedAt.IsZero() || claims.IssuedAt.After(now) {
		return now
	}
	return claims.IssuedAt
}
