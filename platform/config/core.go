package config

import (
	"strings"
)

// Core says what the process is and what it keeps secret.
type Core struct {
	ProjectName       string      `env:"PROJECT_NAME" default:"OmniStack API" max:"100" help:"The product's name in the API document, mails and pages."`
	Environment       Environment `env:"ENVIRONMENT" default:"local" oneof:"local test staging production" help:"Where the process runs: local, test, staging or production."`
	Debug             bool        `env:"DEBUG" default:"false" help:"Logs more, SQL statements without their values among it."`
	LogLevel          string      `env:"LOG_LEVEL" default:"INFO" oneof:"DEBUG INFO WARNING ERROR" help:"The least severe level that is logged."`
	LogFormat         string      `env:"LOG_FORMAT" default:"json" local:"console" oneof:"console json" help:"How log lines look: console for people, json for machines."`
	SecretKey         Secret      `env:"SECRET_KEY" min:"32" help:"Keys cursors, signed URLs and unsubscribe links. In local and test it is generated and kept in DATA_DIR/secret_key."`
	SecretKeyPrevious Secret      `env:"SECRET_KEY_PREVIOUS" min:"32" help:"The key before this one; still accepted while it is being replaced."`
	DataDir           string      `env:"DATA_DIR" default:"./data" help:"The folder of everything this process keeps on disk: the embedded database, local files, generated keys."`
}

// Validate checks the secret key, and that production isn't in debug mode.
func (c *Core) Validate(check *Check) {
	if c.Debug && check.Environment == Production {
		check.Refuse("DEBUG", "must be false in production")
	}
	switch {
	case c.SecretKey == "" && !check.Environment.OnDesk():
		check.Refuse("SECRET_KEY", "must be set outside local and test, to 32 or more random bytes: openssl rand -base64 48")
	case c.SecretKey != "" && isPlaceholder(c.SecretKey.Reveal()):
		check.Refuse("SECRET_KEY", "must be random, not a sample: openssl rand -base64 48")
	}
	if c.SecretKeyPrevious != "" && c.SecretKeyPrevious == c.SecretKey {
		check.Refuse("SECRET_KEY_PREVIOUS", "must differ from SECRET_KEY")
	}
}

// isPlaceholder recognises keys that anybody could guess.
func isPlaceholder(key string) bool {
	letters := map[rune]bool{}
	for _, letter := range key {
		letters[letter] = true
	}
	// 32 random bytes in hex miss half of the sixteen digits once in 10^12; a repeated word always does.
	if len(letters) < 8 {
		return true
	}
	plain := strings.NewReplacer("-", "", "_", "", " ", "", ".", "").Replace(strings.ToLower(key))
	for _, sample := range []string{
		"yoursecretkey", "changeme", "changethis", "replaceme", "placeholder", "secretkeyhere", "supersecret", "notasecret",
		"mysecretkey", "min32char", "insecure", "example", "0123456789012345", "1234567890123456", "abcdefghijklmnop",
	} {
		if strings.Contains(plain, sample) {
			return true
		}
	}
	return false
}
