package auth

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"github.com/omnistack/omnistack/platform/errs"
)

// attack is a token that must not be accepted, and why it isn't.
type attack struct {
	name  string
	token string
	want  Reason
}

// TestAttacks sends every attack to a verifier with everything switched on: public keys of three types, a legacy HS256
// secret, an audience and authorized parties. None may pass, and no token may make us fetch from where it says.
func TestAttacks(t *testing.T) {
	f := newForge(t)
	trap := newServer(t, f.publicKeys())
	home := newServer(t, f.publicKeys())
	provider := home.provider()
	provider.HMACSecret = []byte(testSecret)
	single := newServer(t, f.jwks(f.rsaKey())) // no secret, one key
	short := newServer(t, f.publicKeys())
	weak := short.provider()
	weak.HMACSecret = []byte("short")
	verifier, _ := newVerifier(provider, single.provider(), weak)

	for _, algorithm := range []string{"RS256", "PS256", "ES256", "EdDSA"} {
		kid := map[string]string{"RS256": "rsa", "PS256": "rsa", "ES256": "ec", "EdDSA": "ed"}[algorithm]
		mustVerify(t, verifier, f.token(algorithm, head(algorithm, kid), goodClaims(home.URL)))
	}
	mustVerify(t, verifier, f.hmacToken([]byte(testSecret), head("HS256", "any"), goodClaims(home.URL)))
	mustVerify(t, verifier, f.token("RS256", head("RS256", "rsa"), goodClaims(single.URL)))
	mustVerify(t, verifier, f.token("RS256", head("RS256", "rsa"), goodClaims(short.URL)))

	attacks := f.attacks(home.URL, single.URL, short.URL, trap.URL)
	if len(attacks) < 50 {
		t.Fatalf("only %d attacks", len(attacks))
	}
	t.Logf("%d attacks", len(attacks))
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) {
			mustRefuse(t, verifier, a.token, a.want)
			mustRefuse(t, verifier, a.token, a.want) // nor is it remembered as good
		})
	}
	if n := trap.asked.Load(); n != 0 {
		t.Errorf("tokens made us fetch %d times from the attacker", n)
	}
}

func (f *forge) attacks(home, single, short, trap string) []attack {
	good := goodClaims(home)
	rs, es := head("RS256", "rsa"), head("ES256", "ec")
	valid := f.token("RS256", rs, good)
	parts := strings.Split(valid, ".")
	input := parts[0] + "." + parts[1]
	signature, _ := base64.RawURLEncoding.DecodeString(parts[2])
	claims := func(changes object) string { return f.token("RS256", rs, with(good, changes)) }
	headed := func(changes object) string { return f.token("RS256", with(rs, changes), good) }
	raw := func(payload string) string { return f.token("RS256", rs, payload) }
	signed := func(header, payload any, signature []byte) string {
		return encode(text(f, header)) + "." + encode(text(f, payload)) + "." + encode(signature)
	}
	at := func(d time.Duration) int64 { return start.Add(d).Unix() }

	attacks := []attack{
		// the shape
		{"no token", "", MissingToken},
		{"one part", "abc", MalformedToken},
		{"two parts", input, MalformedToken},
		{"four parts", valid + ".YQ", MalformedToken},
		{"five parts, a JWE", encode([]byte(`{"alg":"dir","enc":"A128GCM"}`)) + "..YWFh.YWFh.YWFh", MalformedToken},
		{"three parts of a JWE", f.token("RS256", with(rs, object{"enc": "A128GCM"}), good), RefusedHeader},
		{"only dots", "..", MalformedToken},
		{"empty header", "." + parts[1] + "." + parts[2], MalformedToken},
		{"empty payload", parts[0] + ".." + parts[2], MalformedToken},
		{"empty signature", input + ".", MalformedToken},
		{"JSON serialization", `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`, MalformedToken},
		{"JSON serialization with two signatures", `{"payload":"` + parts[1] + `","signatures":[{"protected":"` + parts[0] + `","signature":"` + parts[2] +
			`"},{"protected":"` + parts[0] + `","signature":"` + parts[2] + `"}]}`, MalformedToken},
		{"a signed token as payload", f.token("RS256", rs, valid), MalformedToken},
		{"cty JWT with a token as payload", f.token("RS256", with(rs, object{"cty": "JWT"}), valid), MalformedToken},
		{"8 KiB and one byte", f.padded(rs, good, maxToken+1), MalformedToken},
		{"NUL at the end", valid + "\x00", MalformedToken},
		{"NUL inside", input + "\x00." + parts[2], MalformedToken},
		{"leading space", " " + valid, MalformedToken},
		{"trailing space", valid + " ", MalformedToken},
		{"trailing text", valid + "garbage!", MalformedToken},
		{"scheme left in", "Bearer " + valid, MalformedToken},
		{"two tokens", valid + "," + valid, MalformedToken},
		{"not ASCII", valid[:len(valid)-1] + "é", MalformedToken},

		// other spellings of the same bytes
		{"trailing newline", valid + "\n", MalformedToken},
		{"newline inside", input + ".\n" + parts[2], MalformedToken},
		{"carriage return", parts[0] + "\r." + parts[1] + "." + parts[2], MalformedToken},
		{"padding", valid + "==", MalformedToken},
		{"padded header", parts[0] + "=." + parts[1] + "." + parts[2], MalformedToken},
		{"standard alphabet", input + "." + base64.RawStdEncoding.EncodeToString(fitting(f, input)), MalformedToken},
		{"another last character", respelled(valid), MalformedToken},
		{"percent encoding", strings.Replace(valid, ".", "%2E", 1), MalformedToken},

		// the header
		{"header is no JSON", f.token("RS256", "alg=RS256", good), MalformedToken},
		{"header is an array", f.token("RS256", `[{"alg":"RS256","kid":"rsa"}]`, good), MalformedToken},
		{"header is null", f.token("RS256", "null", good), RefusedAlgorithm},
		{"header has alg twice", f.token("RS256", `{"alg":"none","alg":"RS256","kid":"rsa"}`, good), MalformedToken},
		{"header has kid twice", f.token("RS256", `{"alg":"RS256","kid":"rsa","kid":"ec"}`, good), MalformedToken},
		{"text after the header", f.token("RS256", `{"alg":"RS256","kid":"rsa"}{}`, good), MalformedToken},
		{"invalid UTF-8 in the header", f.token("RS256", "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"x\":\"\xff\"}", good), MalformedToken},
		{"alg in capitals as a name", f.token("RS256", `{"ALG":"RS256","kid":"rsa"}`, good), RefusedAlgorithm},
		{"no alg", headed(object{"alg": nil}), RefusedAlgorithm},
		{"alg is a number", headed(object{"alg": 256}), MalformedToken},
		{"alg is a list", headed(object{"alg": []string{"RS256"}}), MalformedToken},
		{"crit", headed(object{"crit": []string{"exp"}}), RefusedHeader},
		{"crit is empty", headed(object{"crit": []string{}}), RefusedHeader},
		{"crit is null", f.token("RS256", `{"alg":"RS256","kid":"rsa","crit":null}`, good), RefusedHeader},
		{"b64 without crit", headed(object{"b64": false}), RefusedHeader},
		{"jku", headed(object{"jku": trap}), RefusedHeader},
		{"jku of another key", f.stranger(with(rs, object{"jku": trap, "kid": "evil"}), good), RefusedHeader},
		{"x5u", headed(object{"x5u": trap}), RefusedHeader},
		{"x5c", headed(object{"x5c": []string{"MIIB"}}), RefusedHeader},
		{"jwk of the right key", headed(object{"jwk": f.rsaKey()}), RefusedHeader},
		{"jwk of the attacker", f.embedded(good), RefusedHeader},
		{"typ is another", headed(object{"typ": "dpop+jwt"}), WrongType},
		{"typ is a logout token", headed(object{"typ": "logout+jwt"}), WrongType},
		{"typ is JOSE", headed(object{"typ": "JOSE"}), WrongType},

		// the key
		{"unknown kid", f.stranger(with(rs, object{"kid": "evil"}), good), UnknownKey},
		{"no kid with several keys", headed(object{"kid": nil}), UnknownKey},
		{"empty kid with several keys", headed(object{"kid": ""}), UnknownKey},
		{"kid of another key", headed(object{"kid": "ec"}), RefusedAlgorithm},
		{"kid as a path", headed(object{"kid": "../../dev/null"}), UnknownKey},
		{"kid as SQL", headed(object{"kid": "rsa' OR '1'='1"}), UnknownKey},
		{"kid is a number", headed(object{"kid": 1}), MalformedToken},
		{"key of another with the right kid", f.stranger(rs, good), InvalidSignature},
		{"key of another with no kid", f.stranger(with(rs, object{"kid": nil}), goodClaims(single)), InvalidSignature},

		// the algorithm
		{"PS256 signature as RS256", f.token("PS256", rs, good), InvalidSignature},
		{"RS256 signature as PS256", headed(object{"alg": "PS256"}), InvalidSignature},
		{"RS256 as ES256 with the RSA key", headed(object{"alg": "ES256"}), RefusedAlgorithm},
		{"ES256 as RS256 with the EC key", f.token("ES256", with(es, object{"alg": "RS256"}), good), RefusedAlgorithm},
		{"RS256 as ES256 with the EC key", f.token("RS256", es, good), InvalidSignature},
		{"EdDSA with the EC key", f.token("EdDSA", with(es, object{"alg": "EdDSA"}), good), RefusedAlgorithm},
		{"ES256 with the Ed25519 key", f.token("ES256", with(es, object{"kid": "ed"}), good), RefusedAlgorithm},
		{"RS512", f.token("RS512", with(rs, object{"alg": "RS512"}), good), RefusedAlgorithm},
		{"ES384", f.token("ES384", with(es, object{"alg": "ES384"}), good), RefusedAlgorithm},
		{"ES256K", f.token("ES256", with(es, object{"alg": "ES256K"}), good), RefusedAlgorithm},
		{"rs256 in lower case", headed(object{"alg": "rs256"}), RefusedAlgorithm},
		{"RS256 and a NUL", headed(object{"alg": "RS256\x00"}), RefusedAlgorithm},
		{"HS384 with the secret", f.hmacToken([]byte(testSecret), head("HS384", ""), good), RefusedAlgorithm},
		{"HS256 with an empty secret", f.hmacToken(nil, head("HS256", "rsa"), good), InvalidSignature},
		{"HS256 with a secret where none is configured", f.hmacToken([]byte(testSecret), head("HS256", "rsa"), goodClaims(single)), RefusedAlgorithm},
		{"HS256 with an empty secret where none is configured", f.hmacToken(nil, head("HS256", "rsa"), goodClaims(single)), RefusedAlgorithm},
		{"HS256 with a configured secret that is too short", f.hmacToken([]byte("short"), head("HS256", ""), goodClaims(short)), RefusedAlgorithm},
		{"RS256 with the secret as HMAC", f.hmacToken([]byte(testSecret), rs, good), InvalidSignature},

		// the signature
		{"one bit of the signature", input + "." + encode(flipped(signature)), InvalidSignature},
		{"half of the signature", input + "." + encode(signature[:128]), InvalidSignature},
		{"signature of another token", input + "." + strings.Split(claims(object{"sub": "user-2"}), ".")[2], InvalidSignature},
		{"payload of another token", parts[0] + "." + encode(text(f, with(good, object{"sub": "admin"}))) + "." + parts[2], InvalidSignature},
		{"header of another token", encode(text(f, with(rs, object{"typ": "at+jwt"}))) + "." + parts[1] + "." + parts[2], InvalidSignature},
		{"ECDSA of zeros", signed(es, good, make([]byte, 64)), InvalidSignature},
		{"ECDSA as DER", f.token("DER", es, good), InvalidSignature},
		{"ECDSA of one byte", signed(es, good, []byte{0}), InvalidSignature},
		{"ECDSA with the order as r and s", signed(es, good, bytes.Repeat(f.ec.Params().N.Bytes(), 2)), InvalidSignature},
		{"EdDSA of zeros", signed(head("EdDSA", "ed"), good, make([]byte, 64)), InvalidSignature},
		{"RSA of zeros", signed(rs, good, make([]byte, 256)), InvalidSignature},
		{"RSA with the modulus", signed(rs, good, f.rsa.N.Bytes()), InvalidSignature},

		// the claims
		{"payload is no JSON", raw("hello"), MalformedToken},
		{"payload is an array", raw("[]"), MalformedToken},
		{"payload is null", raw("null"), UnknownIssuer},
		{"payload is empty", raw("{}"), UnknownIssuer},
		{"text after the claims", raw(string(text(f, good)) + "{}"), MalformedToken},
		{"sub twice", raw(`{"sub":"admin",` + string(text(f, good))[1:]), MalformedToken},
		{"role twice, nested", raw(`{"app":{"role":"user","role":"admin"},` + string(text(f, good))[1:]), MalformedToken},
		{"one name spelled twice", raw(`{"\u0073ub":"admin",` + string(text(f, good))[1:]), MalformedToken},
		{"invalid UTF-8 in the claims", raw("{\"name\":\"\xff\"," + string(text(f, good))[1:]), MalformedToken},
		{"deep nesting", raw(`{"a":` + strings.Repeat("[", 4000)), MalformedToken},
		{"no iss", claims(object{"iss": nil}), UnknownIssuer},
		{"iss is empty", claims(object{"iss": ""}), UnknownIssuer},
		{"iss is another", claims(object{"iss": "https://evil.test"}), UnknownIssuer},
		{"iss has a slash more", claims(object{"iss": home + "/"}), UnknownIssuer},
		{"iss begins like ours", claims(object{"iss": home + ".evil.test"}), UnknownIssuer},
		{"iss in other case", claims(object{"iss": strings.ToUpper(home)}), UnknownIssuer},
		{"iss is a list", claims(object{"iss": []string{home}}), UnknownIssuer},
		{"iss of another provider", claims(object{"iss": short, "aud": "else"}), WrongAudience},
		{"no aud", claims(object{"aud": nil}), WrongAudience},
		{"aud is another", claims(object{"aud": "evil"}), WrongAudience},
		{"aud is empty", claims(object{"aud": []string{}}), WrongAudience},
		{"aud is a list of others", claims(object{"aud": []string{"a", "b"}}), WrongAudience},
		{"aud is mixed", claims(object{"aud": []any{ours, 1}}), WrongAudience},
		{"aud is an object", claims(object{"aud": object{ours: true}}), WrongAudience},
		{"no azp", claims(object{"azp": nil}), WrongParty},
		{"azp is another", claims(object{"azp": "https://evil.test"}), WrongParty},
		{"azp is null", raw(strings.Replace(string(text(f, good)), `"azp":"`+origin+`"`, `"azp":null`, 1)), WrongParty},
		{"azp is a list", claims(object{"azp": []string{origin}}), WrongParty},
		{"no sub", claims(object{"sub": nil}), InvalidClaims},
		{"sub is empty", claims(object{"sub": ""}), InvalidClaims},
		{"sub is a number", claims(object{"sub": 1}), InvalidClaims},
		{"sub is 256 long", claims(object{"sub": strings.Repeat("a", 256)}), InvalidClaims},
		{"sub has a NUL", claims(object{"sub": "a\x00b"}), InvalidClaims},
		{"sub has a newline", claims(object{"sub": "a\nb"}), InvalidClaims},
		{"sub has a look-alike", claims(object{"sub": "аdmin"}), InvalidClaims},
		{"no exp", claims(object{"exp": nil}), InvalidClaims},
		{"exp is null", raw(strings.Replace(string(text(f, good)), `"exp":`, `"exp":null,"x":`, 1)), InvalidClaims},
		{"exp is a string", claims(object{"exp": "4102444800"}), InvalidClaims},
		{"exp is a date", claims(object{"exp": "2099-01-01T00:00:00Z"}), InvalidClaims},
		{"exp is true", claims(object{"exp": true}), InvalidClaims},
		{"exp is negative", claims(object{"exp": -1}), InvalidClaims},
		{"exp is huge", raw(strings.Replace(string(text(f, good)), `"exp":`, `"exp":1e400,"x":`, 1)), InvalidClaims},
		{"exp is over int64", claims(object{"exp": 1e19}), InvalidClaims},
		{"exp is in milliseconds", claims(object{"exp": start.Add(time.Hour).UnixMilli()}), InvalidClaims},
		{"exp is zero", claims(object{"exp": 0}), Expired},
		{"expired", claims(object{"exp": at(-time.Hour)}), Expired},
		{"expired by the leeway", claims(object{"exp": at(-leeway)}), Expired},
		{"nbf in the future", claims(object{"nbf": at(leeway + time.Second)}), NotYetValid},
		{"nbf is a string", claims(object{"nbf": "0"}), InvalidClaims},
		{"iat in the future", claims(object{"iat": at(leeway + time.Second)}), NotYetValid},
		{"iat is a string", claims(object{"iat": "0"}), InvalidClaims},
	}
	for _, none := range []string{"none", "None", "NONE", "nOnE", "none ", ""} {
		bare := encode(text(f, object{"alg": none, "typ": "JWT"})) + "." + parts[1] + "."
		attacks = append(attacks,
			attack{"alg " + none + " unsigned", bare, MalformedToken},
			attack{"alg " + none + " with a signature", bare + parts[2], RefusedAlgorithm},
			attack{"alg " + none + " with a kid", headed(object{"alg": none}), RefusedAlgorithm})
	}
	for name, public := range f.publicBytes() {
		attacks = append(attacks,
			attack{"HS256 with the public key as " + name, f.hmacToken(public, head("HS256", "rsa"), good), InvalidSignature},
			attack{"HS256 with the public key as " + name + ", no secret", f.hmacToken(public, head("HS256", "rsa"), goodClaims(single)), RefusedAlgorithm})
	}
	return attacks
}

// publicBytes are the forms of the RSA key that an attacker might try as an HMAC secret (RFC 8725, section 2.1).
func (f *forge) publicBytes() map[string][]byte {
	pkix, err := x509.MarshalPKIXPublicKey(&f.rsa.PublicKey)
	if err != nil {
		f.Fatal(err)
	}
	pkcs1 := x509.MarshalPKCS1PublicKey(&f.rsa.PublicKey)
	inPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: pkix})
	return map[string][]byte{
		"DER":                 pkix,
		"PKCS #1":             pkcs1,
		"PEM":                 inPEM,
		"PEM without newline": bytes.TrimSpace(inPEM),
		"PKCS #1 PEM":         pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: pkcs1}),
		"JWK":                 text(f, f.rsaKey()),
		"JWKS":                []byte(f.publicKeys()),
		"modulus":             f.rsa.N.Bytes(),
	}
}

// stranger signs RS256 with a key that nobody trusts.
func (f *forge) stranger(header, claims any) string {
	f.Helper()
	return (&forge{TB: f.TB, rsa: strangersKey(f)}).token("RS256", header, claims)
}

// embedded is signed with a stranger's key that the header brings along (CVE-2018-0114).
func (f *forge) embedded(claims any) string {
	f.Helper()
	key := strangersKey(f)
	brought := object{"alg": "RS256", "kid": "mine", "jwk": rsaJWK("mine", &key.PublicKey)}
	return (&forge{TB: f.TB, rsa: key}).token("RS256", brought, claims)
}

// padded is a valid token of exactly size bytes. Both parts are padded, as base64 has no text of 4n+1 characters.
func (f *forge) padded(header, claims object, size int) string {
	f.Helper()
	length := base64.RawURLEncoding.EncodedLen
	for extra := range 3 {
		header := with(header, object{"pad": strings.Repeat("a", extra)})
		fixed := length(len(text(f, header))) + length(f.rsa.Size()) + len("..")
		payload := len(text(f, with(claims, object{"pad": ""})))
		for n := range size {
			if fixed+length(payload+n) == size {
				return f.token("RS256", header, with(claims, object{"pad": strings.Repeat("a", n)}))
			}
		}
	}
	f.Fatal("no such size")
	return ""
}

// fitting returns a valid signature of input that the two alphabets spell differently.
func fitting(f *forge, input string) []byte {
	for {
		signature := f.signature("PS256", input)
		if strings.ContainsAny(encode(signature), "-_") {
			return signature
		}
	}
}

// respelled changes the last character of a 256-byte signature without changing the bytes it decodes to.
func respelled(token string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, token[len(token)-1])
	return token[:len(token)-1] + string(alphabet[last^1])
}

func flipped(signature []byte) []byte {
	changed := bytes.Clone(signature)
	changed[len(changed)/2] ^= 1
	return changed
}

func TestLongestToken(t *testing.T) {
	f := newForge(t)
	home := newServer(t, f.publicKeys())
	verifier, _ := newVerifier(home.provider())
	mustVerify(t, verifier, f.padded(head("RS256", "rsa"), goodClaims(home.URL), maxToken))
}

// TestVerdictIsForOneSpelling puts a valid token into the cache first: no other spelling of it may hit.
func TestVerdictIsForOneSpelling(t *testing.T) {
	f := newForge(t)
	home := newServer(t, f.publicKeys())
	verifier, _ := newVerifier(home.provider())
	valid := f.token("RS256", head("RS256", "rsa"), goodClaims(home.URL))
	mustVerify(t, verifier, valid)
	for _, other := range []string{valid + "\n", valid + "==", " " + valid, respelled(valid)} {
		mustRefuse(t, verifier, other, MalformedToken)
	}
}

// TestAlgorithmIsTheKeysOwn pins a key that names its algorithm to it.
func TestAlgorithmIsTheKeysOwn(t *testing.T) {
	f := newForge(t)
	home := newServer(t, f.jwks(with(f.rsaKey(), object{"alg": "PS256"})))
	verifier, _ := newVerifier(home.provider())
	mustVerify(t, verifier, f.token("PS256", head("PS256", "rsa"), goodClaims(home.URL)))
	mustRefuse(t, verifier, f.token("RS256", head("RS256", "rsa"), goodClaims(home.URL)), RefusedAlgorithm)
}

func TestRefusalSaysNothingOfTheToken(t *testing.T) {
	verifier, _ := newVerifier()
	_, err := verifier.Verify(t.Context(), "canary.canary.canary")
	if strings.Contains(err.Error(), "canary") || errs.From(err).Details != nil {
		t.Errorf("the error repeats the token: %v", err)
	}
}

func strangersKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	return newForge(t).rsa
}
