package auth

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/errs"
)

const (
	devKeyFile  = "dev_issuer.json"
	devAudience = "omnistack"
	devTTL      = time.Hour
	maxDevTTL   = 30 * 24 * time.Hour
)

// DevIssuer issues tokens for development on one machine, so that nothing needs to be signed up for. Its tokens go
// through the same Verifier as all others. Whoever reads its key file is anyone: it must not run elsewhere.
type DevIssuer struct {
	url   string
	key   signingKey
	jwks  []byte
	keys  *KeySource
	clock clock.Clock
}

// DevClaims is what a development token shall say.
type DevClaims struct {
	Subject string        // 1 to 255 printable ASCII characters
	Email   string        // optional; taken as verified
	Name    string        // optional
	Role    string        // optional; user, admin or superadmin
	TTL     time.Duration // up to 30 days; 0 is one hour
}

// OpenDevIssuer returns the development issuer whose key is kept in dataDir, in dev_issuer.json, and makes the key when
// there is none. Processes that start at once get the same one. issuer becomes the iss of its tokens.
func OpenDevIssuer(dataDir, issuer string, clock clock.Clock) (*DevIssuer, error) {
	path := filepath.Join(dataDir, devKeyFile)
	key, err := readSigningKey(path)
	if errors.Is(err, fs.ErrNotExist) {
		key, err = createSigningKey(path)
	}
	if err != nil {
		return nil, fmt.Errorf("development issuer: %w", err)
	}
	jwks, err := key.jwks()
	if err != nil {
		return nil, fmt.Errorf("development issuer: %w", err)
	}
	keys, err := StaticKeySource(jwks)
	if err != nil {
		return nil, fmt.Errorf("development issuer: %w", err)
	}
	return &DevIssuer{url: issuer, key: key, jwks: jwks, keys: keys, clock: clock}, nil
}

func readSigningKey(path string) (signingKey, error) {
	document, err := os.ReadFile(path)
	if err != nil {
		return signingKey{}, err
	}
	key, err := parseSigningKey(document)
	if err != nil {
		// The parser's text may quote the file, and the file is a secret.
		return signingKey{}, fmt.Errorf("%s holds no key: remove it to get a new one", path)
	}
	return key, nil
}

// createSigningKey writes a new key to path, or returns the one that another process wrote there first. The key is
// complete on disk before it gets its name: a link fails when the name is taken, where a rename would replace a key
// that is in use.
func createSigningKey(path string) (signingKey, error) {
	key, err := newSigningKey()
	if err != nil {
		return signingKey{}, err
	}
	document, err := key.document()
	if err != nil {
		return signingKey{}, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return signingKey{}, err
	}
	draft, err := os.CreateTemp(filepath.Dir(path), "."+devKeyFile+".*") // made with mode 0600
	if err != nil {
		return signingKey{}, err
	}
	defer func() { _ = os.Remove(draft.Name()) }() // its link stays
	_, err = draft.Write(document)
	if err := errors.Join(err, draft.Sync(), draft.Close()); err != nil {
		return signingKey{}, err
	}
	if err := os.Link(draft.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return signingKey{}, err
	}
	return readSigningKey(path)
}

// JWKS returns the JWK set that verifies its tokens, as JSON.
func (d *DevIssuer) JWKS() []byte { return d.jwks }

// Mint returns a signed token and when it expires. Claims that break a rule are errs.Invalid.
func (d *DevIssuer) Mint(wanted DevClaims) (token string, expires time.Time, err error) {
	if err := wanted.validate(); err != nil {
		return "", time.Time{}, err
	}
	if wanted.TTL == 0 {
		wanted.TTL = devTTL
	}
	now := d.clock.Now().Truncate(time.Second)
	expires = now.Add(wanted.TTL).Truncate(time.Second)
	payload, err := json.Marshal(devPayload{
		Issuer:        d.url,
		Subject:       wanted.Subject,
		Audience:      devAudience,
		IssuedAt:      now.Unix(),
		ExpiresAt:     expires.Unix(),
		Email:         wanted.Email,
		EmailVerified: wanted.Email != "",
		Name:          wanted.Name,
		Role:          wanted.Role,
	})
	if err != nil {
		return "", time.Time{}, err
	}
	token, err = d.key.sign(payload)
	return token, expires, err
}

// devPayload is all a development token can say. Its claim names are constants: jwx v2 lets a foreign name break out of
// the JSON it signs.
type devPayload struct {
	Issuer        string `json:"iss"`
	Subject       string `json:"sub"`
	Audience      string `json:"aud"`
	IssuedAt      int64  `json:"iat"`
	ExpiresAt     int64  `json:"exp"`
	Email         string `json:"email,omitzero"`
	EmailVerified bool   `json:"email_verified,omitzero"`
	Name          string `json:"name,omitzero"`
	Role          string `json:"role,omitzero"`
}

func (c DevClaims) validate() error {
	var broken []errs.Field
	if !validSubject(c.Subject) {
		broken = append(broken, errs.Field{Name: "sub", Message: "must be 1 to 255 printable ASCII characters"})
	}
	if c.Email != plain(c.Email, maxEmail) {
		broken = append(broken, errs.Field{Name: "email", Message: "must be at most 320 bytes without control characters"})
	}
	if c.Name != plain(c.Name, maxName) {
		broken = append(broken, errs.Field{Name: "name", Message: "must be at most 255 bytes without control characters"})
	}
	if _, known := ParseRole(c.Role); !known && c.Role != "" {
		broken = append(broken, errs.Field{Name: "role", Message: "must be user, admin or superadmin"})
	}
	if c.TTL < 0 || c.TTL > maxDevTTL {
		broken = append(broken, errs.Field{Name: "ttl", Message: "must be at most 30 days"})
	}
	if broken == nil {
		return nil
	}
	return errs.InvalidFields(broken...)
}

// Provider returns the provider that trusts its tokens. The keys are at hand: the server fetches nothing from itself.
func (d *DevIssuer) Provider() *Provider {
	return &Provider{
		Name:      "dev",
		Issuer:    d.url,
		Audiences: []string{devAudience},
		Keys:      d.keys,
		Claims:    ClaimPaths{Email: "email", EmailVerified: "email_verified", Name: "name", Role: "role"},
	}
}
