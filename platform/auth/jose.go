package auth

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"
)

// Everything of jwx is in this file; doc.go says why.

// algHMAC is the one symmetric algorithm; it is never among those of a public key.
const algHMAC = "HS256"

// publicKey is a key an issuer signs with, and the algorithms that are right for it.
type publicKey struct {
	id         string
	algorithms []string
	key        any // *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey
}

func (k publicKey) verifies(algorithm string, input, signature []byte) bool {
	return verifySignature(algorithm, k.key, input, signature)
}

// verifyHMAC tells whether signature is the HS256 one of input under secret.
func verifyHMAC(secret, input, signature []byte) bool {
	return verifySignature(algHMAC, secret, input, signature)
}

func verifySignature(algorithm string, key any, input, signature []byte) bool {
	verifier, err := jws.NewVerifier(jwa.SignatureAlgorithm(algorithm))
	return err == nil && verifier.Verify(input, signature, key) == nil
}

// parseJWKS returns the keys of a JWK set that can verify. It passes over keys it can't use, as RFC 7517 (section 5)
// asks for, so a new key type in the set doesn't cost the others.
func parseJWKS(document []byte) ([]publicKey, error) {
	var set struct {
		Keys []jsontext.Value `json:"keys"`
	}
	if err := json.Unmarshal(document, &set); err != nil {
		return nil, fmt.Errorf("jwks: %w", err)
	}
	if set.Keys == nil {
		return nil, errors.New("jwks: there is no list of keys")
	}
	var keys []publicKey
	for _, raw := range set.Keys {
		if key, ok := parseJWK(raw); ok {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

// parseJWK returns a key that may verify signatures, and whether raw is one. Secrets are not: neither symmetric keys, nor
// private ones, with which whoever read the set can sign.
func parseJWK(raw []byte) (publicKey, bool) {
	parsed, err := jwk.ParseKey(raw)
	if err != nil {
		return publicKey{}, false
	}
	if use := parsed.KeyUsage(); use != "" && use != "sig" {
		return publicKey{}, false
	}
	if ops := parsed.KeyOps(); len(ops) > 0 && !slices.Contains(ops, jwk.KeyOpVerify) {
		return publicKey{}, false
	}
	var key any
	if err := parsed.Raw(&key); err != nil {
		return publicKey{}, false
	}
	algorithms := algorithmsOf(key)
	if named := parsed.Algorithm().String(); named != "" {
		algorithms = slices.DeleteFunc(algorithms, func(a string) bool { return a != named })
	}
	return publicKey{id: parsed.KeyID(), algorithms: algorithms, key: key}, len(algorithms) > 0
}

// algorithmsOf returns the algorithms that are right for a key by its type, size and curve; none for an unfit one.
func algorithmsOf(key any) []string {
	switch key := key.(type) {
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits >= 2048 && bits <= 8192 { // RFC 7518, section 3.3; larger ones only cost time
			return []string{"RS256", "PS256"}
		}
	case *ecdsa.PublicKey:
		if _, err := key.ECDH(); err == nil && key.Curve == elliptic.P256() { // ECDH refuses points off the curve
			return []string{"ES256"}
		}
	case ed25519.PublicKey:
		if len(key) == ed25519.PublicKeySize { // the standard library panics on other lengths
			return []string{"EdDSA"}
		}
	}
	return nil
}

// signingKey is an ES256 key of our own.
type signingKey struct{ private jwk.Key }

func newSigningKey() (signingKey, error) {
	raw, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return signingKey{}, err
	}
	private, err := jwk.FromRaw(raw)
	if err != nil {
		return signingKey{}, err
	}
	for name, value := range map[string]any{jwk.AlgorithmKey: jwa.ES256, jwk.KeyUsageKey: jwk.ForSignature} {
		if err := private.Set(name, value); err != nil {
			return signingKey{}, err
		}
	}
	return signingKey{private}, jwk.AssignKeyID(private) // the kid is the thumbprint of RFC 7638
}

// parseSigningKey reads what document wrote.
func parseSigningKey(document []byte) (signingKey, error) {
	private, err := jwk.ParseKey(document)
	if err != nil {
		return signingKey{}, err
	}
	var raw ecdsa.PrivateKey
	if err := private.Raw(&raw); err != nil {
		return signingKey{}, err
	}
	if raw.Curve != elliptic.P256() || private.KeyID() == "" {
		return signingKey{}, errors.New("it is no ES256 key with a kid")
	}
	return signingKey{private}, nil
}

// document returns the key as a private JWK.
func (k signingKey) document() ([]byte, error) { return json.Marshal(k.private) }

// jwks returns the JWK set that holds its public half.
func (k signingKey) jwks() ([]byte, error) {
	public, err := k.private.PublicKey()
	if err != nil {
		return nil, err
	}
	return json.Marshal(map[string]any{"keys": []any{public}})
}

// sign returns a JWT in compact form with payload as its claims.
func (k signingKey) sign(payload []byte) (string, error) {
	protected := jws.NewHeaders()
	if err := protected.Set(jws.TypeKey, "JWT"); err != nil {
		return "", err
	}
	signed, err := jws.Sign(payload, jws.WithKey(jwa.ES256, k.private, jws.WithProtectedHeaders(protected)))
	return string(signed), err
}
