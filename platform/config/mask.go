package config

import (
	"net/url"
	"regexp"
	"strings"
)

// shownLength bounds what a message repeats of a value, in bytes.
const shownLength = 120

// credentials matches what may be a user name and password inside a URL, greedily: a password may hold any sign.
var credentials = regexp.MustCompile(`://[^\s,"']*@`)

// show returns the text as it may be printed: masked when the setting is secret, without credentials otherwise.
func (f *field) show(text string) string {
	switch {
	case text == "":
		return ""
	case f.Secret && f.tag.Get("mask") == "url":
		text = maskURL(text)
	case f.Secret:
		return mask
	default:
		text = credentials.ReplaceAllString(text, "://"+mask+"@")
	}
	if len(text) > shownLength {
		text = strings.ToValidUTF8(text[:shownLength], "") + "…"
	}
	return text
}

// secretParameter matches names of query parameters whose values are secret.
var secretParameter = regexp.MustCompile(`(?i)pass|secret|token|key|auth`)

// maskURL shows where a URL points and hides who logs in with what. A text that isn't clearly a URL is masked whole: a
// password with an unescaped slash or number sign in it would otherwise be read as a path and shown.
func maskURL(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Scheme == "" || u.Opaque != "" || !strings.Contains(text, "://") {
		return mask
	}
	if strings.Contains(u.Path+u.RawQuery+u.Fragment, "@") {
		return mask
	}
	login := ""
	if u.User != nil {
		// A lone user name may be a token, or a password in the wrong place.
		login = mask + "@"
		if _, hasPassword := u.User.Password(); hasPassword {
			login = url.User(u.User.Username()).String() + ":" + mask + "@"
		}
	}
	shown := u.Scheme + "://" + login + u.Host + u.EscapedPath()
	var query []string
	for pair := range strings.SplitSeq(u.RawQuery, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if pair == "" {
			continue
		}
		if secretParameter.MatchString(name) || strings.Contains(name, "%") {
			value = mask
		}
		query = append(query, name+"="+value)
	}
	if len(query) == 0 {
		return shown
	}
	return shown + "?" + strings.Join(query, "&")
}
