package idp

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"math/big"
	"testing"
)

// Object is a JSON object.
type Object = map[string]any

// Encode returns bytes as the parts of a token are spelled (RFC 7515, section 2).
func Encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// Text returns a value as JSON. A string is taken for JSON already, right or wrong.
func Text(t testing.TB, value any) []byte {
	t.Helper()
	if s, ok := value.(string); ok {
		return []byte(s)
	}
	raw, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// With returns base with changes on top; nil removes a name.
func With(base, changes Object) Object {
	changed := Object{}
	maps.Copy(changed, base)
	for name, value := range changes {
		if value == nil {
			delete(changed, name)
			continue
		}
		changed[name] = value
	}
	return changed
}

// Keys are private keys of each type, and sign whatever they are told to. A failure ends the test.
type Keys struct {
	testing.TB
	RSA  *rsa.PrivateKey
	EC   *ecdsa.PrivateKey // on P-256
	Ed   ed25519.PrivateKey
	P384 *ecdsa.PrivateKey // nobody publishes it

	ecID string
}

// NewKeys makes keys, whose kids are rsa, ec and ed.
func NewKeys(t testing.TB) *Keys {
	t.Helper()
	k := &Keys{TB: t, ecID: "ec"}
	var errRSA, errEC, errP384, errEd error
	k.RSA, errRSA = rsa.GenerateKey(rand.Reader, 2048)
	k.EC, errEC = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	k.P384, errP384 = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	_, k.Ed, errEd = ed25519.GenerateKey(rand.Reader)
	if err := errors.Join(errRSA, errEC, errP384, errEd); err != nil {
		t.Fatal(err)
	}
	return k
}

// Head is the header of a token.
func Head(algorithm, kid string) Object {
	return Object{"alg": algorithm, "kid": kid, "typ": "JWT"}
}

// Head is the header of a token that is signed with the key for algorithm.
func (k *Keys) Head(algorithm string) Object {
	kid := map[string]string{"RS256": "rsa", "PS256": "rsa", "ES256": k.ecID, "EdDSA": "ed"}[algorithm]
	return Head(algorithm, kid)
}

// Token signs header and claims, objects or JSON texts, by algorithm, whatever the header says.
func (k *Keys) Token(algorithm string, header, claims any) string {
	k.Helper()
	input := Encode(Text(k, header)) + "." + Encode(Text(k, claims))
	return input + "." + Encode(k.Signature(algorithm, input))
}

// HMACToken signs by HS256 with the secret, whatever the header says.
func HMACToken(t testing.TB, secret []byte, header, claims any) string {
	t.Helper()
	input := Encode(Text(t, header)) + "." + Encode(Text(t, claims))
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(input))
	return input + "." + Encode(mac.Sum(nil))
}

// Signature signs by RS256, RS512, PS256, ES256, ES384 or EdDSA, or DER: ES256 in the encoding that JOSE doesn't use.
func (k *Keys) Signature(algorithm, input string) []byte {
	k.Helper()
	sum := sha256.Sum256([]byte(input))
	var signature []byte
	var err error
	switch algorithm {
	case "RS256":
		signature, err = rsa.SignPKCS1v15(rand.Reader, k.RSA, crypto.SHA256, sum[:])
	case "RS512":
		long := sha512.Sum512([]byte(input))
		signature, err = rsa.SignPKCS1v15(rand.Reader, k.RSA, crypto.SHA512, long[:])
	case "PS256":
		signature, err = rsa.SignPSS(rand.Reader, k.RSA, crypto.SHA256, sum[:], nil)
	case "ES256":
		signature, err = signEC(k.EC, sum[:])
	case "ES384":
		long := sha512.Sum384([]byte(input))
		signature, err = signEC(k.P384, long[:])
	case "DER":
		signature, err = ecdsa.SignASN1(rand.Reader, k.EC, sum[:])
	case "EdDSA":
		signature = ed25519.Sign(k.Ed, []byte(input))
	default:
		k.Fatalf("nobody signs with %q", algorithm)
	}
	if err != nil {
		k.Fatal(err)
	}
	return signature
}

// signEC returns r and s side by side (RFC 7518, section 3.4).
func signEC(key *ecdsa.PrivateKey, sum []byte) ([]byte, error) {
	r, s, err := ecdsa.Sign(rand.Reader, key, sum)
	if err != nil {
		return nil, err
	}
	half := (key.Curve.Params().BitSize + 7) / 8
	return append(r.FillBytes(make([]byte, half)), s.FillBytes(make([]byte, half))...), nil
}

// JWK returns the public key for algorithm: RS256, PS256, ES256 or EdDSA.
func (k *Keys) JWK(algorithm string) Object {
	k.Helper()
	switch algorithm {
	case "RS256", "PS256":
		return RSAJWK("rsa", &k.RSA.PublicKey)
	case "ES256":
		return ECJWK(k, k.ecID, "P-256", &k.EC.PublicKey)
	case "EdDSA":
		return EdJWK("ed", k.Ed.Public().(ed25519.PublicKey))
	}
	k.Fatalf("there is no key for %q", algorithm)
	return nil
}

// JWKS returns the set of the keys for algorithms, of all three when none is named.
func (k *Keys) JWKS(algorithms ...string) string {
	k.Helper()
	if len(algorithms) == 0 {
		algorithms = []string{"RS256", "ES256", "EdDSA"}
	}
	keys := make([]Object, len(algorithms))
	for i, algorithm := range algorithms {
		keys[i] = k.JWK(algorithm)
	}
	return KeySet(k, keys...)
}

// KeySet returns a JWK set (RFC 7517, section 5).
func KeySet(t testing.TB, keys ...Object) string {
	t.Helper()
	return string(Text(t, Object{"keys": keys}))
}

// RSAJWK returns a public key (RFC 7518, section 6.3.1).
func RSAJWK(kid string, key *rsa.PublicKey) Object {
	return Object{"kty": "RSA", "kid": kid, "n": Encode(key.N.Bytes()), "e": Encode(big.NewInt(int64(key.E)).Bytes())}
}

// ECJWK returns a public key on the curve (RFC 7518, section 6.2.1).
func ECJWK(t testing.TB, kid, curve string, key *ecdsa.PublicKey) Object {
	t.Helper()
	point, err := key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	half := (len(point) - 1) / 2
	return Object{"kty": "EC", "crv": curve, "kid": kid, "x": Encode(point[1 : 1+half]), "y": Encode(point[1+half:])}
}

// EdJWK returns a public key (RFC 8037, section 2).
func EdJWK(kid string, key ed25519.PublicKey) Object {
	return Object{"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": Encode(key)}
}
