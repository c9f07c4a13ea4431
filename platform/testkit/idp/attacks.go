package idp

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"maps"
	"slices"
	"strings"
	"time"
)

// Attack is a token that must not be let in.
type Attack struct {
	Name   string
	Token  string
	Reason string // what it is refused for, as platform/auth names it
}

// Sendable tells whether the token reaches the other side in an HTTP header as it is: control characters are sent by no
// client, and space around a header's value is no part of it.
func (a Attack) Sendable() bool {
	control := func(r rune) bool { return r < ' ' || r == '\x7f' }
	return a.Token != "" && a.Token == strings.TrimSpace(a.Token) && !strings.ContainsFunc(a.Token, control)
}

// The reasons of platform/auth, which this package can't import: its tests import this one.
const (
	malformed        = "malformed_token"
	refusedHeader    = "refused_token_header"
	wrongType        = "wrong_token_type"
	refusedAlgorithm = "refused_algorithm"
	unknownIssuer    = "unknown_issuer"
	unknownKey       = "unknown_key"
	invalidSignature = "invalid_signature"
	invalidClaims    = "invalid_claims"
	expired          = "token_expired"
	notYetValid      = "token_not_yet_valid"
	wrongAudience    = "wrong_audience"
	wrongParty       = "wrong_authorized_party"
	inactiveSession  = "inactive_session"
)

// longest is the longest token that is looked at, and leeway is how far clocks may differ.
const (
	longest = 8 << 10
	leeway  = 30 * time.Second
)

// Attacks are forged around a token that the provider issues by its usual algorithm to a person at a time. What is
// signed rightly all the same stands for an issuer that goes wrong, or for one that signs for others too. The addresses
// in the tokens, and the keys of strangers, are evil's.
func (i *Issuer) Attacks(who Person, at time.Time, evil *Issuer) []Attack {
	i.Helper()
	algorithm := i.Algorithms()[0]
	f := &forger{Issuer: i, evil: evil, at: at, algorithm: algorithm, header: i.Head(algorithm), good: i.Claims(who, at)}
	f.valid = f.Token(algorithm, f.header, f.good)
	parts := strings.Split(f.valid, ".")
	f.head, f.payload, f.end = parts[0], parts[1], parts[2]
	f.input = f.head + "." + f.payload
	return slices.Concat(f.forms(), f.spellings(), f.headers(), f.keys(), f.algorithms(), f.publicKeysAsSecrets(), f.none(),
		f.signatures(), f.payloads(), f.claims(), f.times(), f.recipients())
}

// forger makes attacks out of a valid token.
type forger struct {
	*Issuer
	evil               *Issuer
	at                 time.Time
	algorithm          string
	header, good       Object
	valid, input       string
	head, payload, end string
}

// headed is signed, with a changed header.
func (f *forger) headed(changes Object) string {
	return f.Token(f.algorithm, With(f.header, changes), f.good)
}

// claimed is signed, with changed claims.
func (f *forger) claimed(changes Object) string {
	return f.Token(f.algorithm, f.header, With(f.good, changes))
}

// rawHead is signed, with a text for a header.
func (f *forger) rawHead(text string) string { return f.Token(f.algorithm, text, f.good) }

// raw is signed, with a text for claims.
func (f *forger) raw(text string) string { return f.Token(f.algorithm, f.header, text) }

// before returns the text of the claims with something before the first of them.
func (f *forger) before(text string) string { return "{" + text + string(Text(f, f.good))[1:] }

// foreign is signed by a stranger.
func (f *forger) foreign(header Object) string { return f.evil.Token(f.algorithm, header, f.good) }

// signed has a signature that was brought along.
func (f *forger) signed(header Object, signature []byte) string {
	return Encode(Text(f, header)) + "." + f.payload + "." + Encode(signature)
}

// several tells whether the provider publishes more than one key.
func (f *forger) several() bool { return f.Shape != Dev }

// hmac is why a token by HS256 with a wrong secret is refused.
func (f *forger) hmac() string {
	if f.Shape == Supabase {
		return invalidSignature
	}
	return refusedAlgorithm
}

func (f *forger) forms() []Attack {
	return []Attack{
		{"one part", "abc", malformed},
		{"two parts", f.input, malformed},
		{"four parts", f.valid + ".YQ", malformed},
		{"five parts, a JWE", Encode([]byte(`{"alg":"dir","enc":"A128GCM"}`)) + "..YWFh.YWFh.YWFh", malformed},
		{"three parts of a JWE", f.headed(Object{"enc": "A128GCM"}), refusedHeader},
		{"only dots", "..", malformed},
		{"empty header", "." + f.payload + "." + f.end, malformed},
		{"empty payload", f.head + ".." + f.end, malformed},
		{"empty signature", f.input + ".", malformed},
		{"JSON serialization", `{"payload":"` + f.payload + `","protected":"` + f.head + `","signature":"` + f.end + `"}`, malformed},
		{"JSON serialization with two signatures", `{"payload":"` + f.payload + `","signatures":[{"protected":"` + f.head + `","signature":"` +
			f.end + `"},{"protected":"` + f.head + `","signature":"` + f.end + `"}]}`, malformed},
		{"a signed token as payload", f.raw(f.valid), malformed},
		{"cty JWT with a token as payload", f.Token(f.algorithm, With(f.header, Object{"cty": "JWT"}), f.valid), malformed},
		{"8 KiB and one byte", f.Padded(f.good, longest+1), malformed},
		{"24 KiB", f.Padded(f.good, 24<<10), malformed},
		{"NUL at the end", f.valid + "\x00", malformed},
		{"NUL inside", f.input + "\x00." + f.end, malformed},
		{"leading space", " " + f.valid, malformed},
		{"trailing space", f.valid + " ", malformed},
		{"trailing text", f.valid + "garbage!", malformed},
		{"scheme left in", "Bearer " + f.valid, malformed},
		{"two tokens", f.valid + "," + f.valid, malformed},
		{"not ASCII", f.valid[:len(f.valid)-1] + "é", malformed},
	}
}

// spellings are other ways to write the same bytes.
func (f *forger) spellings() []Attack {
	return []Attack{
		{"trailing newline", f.valid + "\n", malformed},
		{"newline inside", f.input + ".\n" + f.end, malformed},
		{"carriage return", f.head + "\r." + f.payload + "." + f.end, malformed},
		{"padding", f.valid + "==", malformed},
		{"padded header", f.head + "=." + f.payload + "." + f.end, malformed},
		{"standard alphabet", f.inStandardAlphabet(), malformed},
		{"another last character", Respelled(f.valid), malformed},
		{"percent encoding", strings.Replace(f.valid, ".", "%2E", 1), malformed},
	}
}

func (f *forger) headers() []Attack {
	right := string(Text(f, f.header))
	right = right[:len(right)-1] // what comes behind it begins with a comma
	return []Attack{
		{"header is no JSON", f.rawHead("alg=" + f.algorithm), malformed},
		{"header is an array", f.rawHead("[" + right + "}]"), malformed},
		{"header is null", f.rawHead("null"), refusedAlgorithm},
		{"header has alg twice", f.rawHead(right + `,"alg":"none"}`), malformed},
		{"header has kid twice", f.rawHead(right + `,"kid":"ec"}`), malformed},
		{"text after the header", f.rawHead(right + "}{}"), malformed},
		{"invalid UTF-8 in the header", f.rawHead(right + ",\"x\":\"\xff\"}"), malformed},
		{"alg in capitals as a name", f.rawHead(strings.Replace(right, `"alg"`, `"ALG"`, 1) + "}"), refusedAlgorithm},
		{"no alg", f.headed(Object{"alg": nil}), refusedAlgorithm},
		{"alg is a number", f.headed(Object{"alg": 256}), malformed},
		{"alg is a list", f.headed(Object{"alg": []string{f.algorithm}}), malformed},
		{"crit", f.headed(Object{"crit": []string{"exp"}}), refusedHeader},
		{"crit is empty", f.headed(Object{"crit": []string{}}), refusedHeader},
		{"crit is null", f.rawHead(right + `,"crit":null}`), refusedHeader},
		{"b64 without crit", f.headed(Object{"b64": false}), refusedHeader},
		{"jku", f.headed(Object{"jku": f.evil.URL}), refusedHeader},
		{"jku of another key", f.foreign(With(f.header, Object{"jku": f.evil.KeysURL()})), refusedHeader},
		{"x5u", f.headed(Object{"x5u": f.evil.URL}), refusedHeader},
		{"x5c", f.headed(Object{"x5c": []string{"MIIB"}}), refusedHeader},
		{"jwk of the right key", f.headed(Object{"jwk": f.JWK(f.algorithm)}), refusedHeader},
		{"jwk of the attacker", f.foreign(With(f.header, Object{"jwk": f.evil.JWK(f.algorithm)})), refusedHeader}, // CVE-2018-0114
		{"jwk of the attacker alone", f.foreign(Object{"alg": f.algorithm, "jwk": f.evil.JWK(f.algorithm)}), refusedHeader},
		{"typ is another", f.headed(Object{"typ": "dpop+jwt"}), wrongType},
		{"typ is a logout token", f.headed(Object{"typ": "logout+jwt"}), wrongType},
		{"typ is JOSE", f.headed(Object{"typ": "JOSE"}), wrongType},
	}
}

// keys are about the key that is named.
func (f *forger) keys() []Attack {
	attacks := []Attack{
		{"unknown kid", f.foreign(With(f.header, Object{"kid": "evil"})), unknownKey},
		{"kid as a path", f.headed(Object{"kid": "../../dev/null"}), unknownKey},
		{"kid as SQL", f.headed(Object{"kid": "x' OR '1'='1"}), unknownKey},
		{"kid as an address", f.headed(Object{"kid": f.evil.URL}), unknownKey},
		{"kid as a command", f.headed(Object{"kid": "|/usr/bin/id"}), unknownKey},
		{"kid in other case", f.headed(Object{"kid": strings.ToUpper(f.header["kid"].(string))}), unknownKey},
		{"kid is a number", f.headed(Object{"kid": 1}), malformed},
		{"kid is a list", f.headed(Object{"kid": []any{f.header["kid"]}}), malformed},
		{"key of another with the right kid", f.foreign(f.header), invalidSignature},
	}
	if !f.several() {
		return append(attacks, Attack{"key of another with no kid", f.foreign(With(f.header, Object{"kid": nil})), invalidSignature})
	}
	return append(attacks,
		Attack{"no kid with several keys", f.headed(Object{"kid": nil}), unknownKey},
		Attack{"empty kid with several keys", f.headed(Object{"kid": ""}), unknownKey},
		Attack{"kid of another key", f.headed(Object{"kid": "ed"}), refusedAlgorithm})
}

func (f *forger) algorithms() []Attack {
	attacks := []Attack{
		{"lower case", f.headed(Object{"alg": strings.ToLower(f.algorithm)}), refusedAlgorithm},
		{"a NUL behind alg", f.headed(Object{"alg": f.algorithm + "\x00"}), refusedAlgorithm},
		{"a space behind alg", f.headed(Object{"alg": f.algorithm + " "}), refusedAlgorithm},
		{"EC key as EdDSA", f.Token("EdDSA", With(f.Head("ES256"), Object{"alg": "EdDSA"}), f.good), refusedAlgorithm},
		{"EC key as RS256", f.Token("ES256", With(f.Head("ES256"), Object{"alg": "RS256"}), f.good), refusedAlgorithm},
		{"EC key as ES384", f.Token("ES384", With(f.Head("ES256"), Object{"alg": "ES384"}), f.good), refusedAlgorithm},
		{"EC key as ES256K", f.Token("ES256", With(f.Head("ES256"), Object{"alg": "ES256K"}), f.good), refusedAlgorithm},
		{"RS256 signature as ES256", f.Token("RS256", f.Head("ES256"), f.good), invalidSignature},
		{"HS384", HMACToken(f, []byte(Secret), Head("HS384", ""), f.good), refusedAlgorithm},
		{"HS512", HMACToken(f, []byte(Secret), Head("HS512", ""), f.good), refusedAlgorithm},
		{"HS256 with an empty secret", HMACToken(f, nil, With(f.header, Object{"alg": "HS256"}), f.good), f.hmac()},
		{"HS256 with the kid as secret", HMACToken(f, []byte(f.header["kid"].(string)), With(f.header, Object{"alg": "HS256"}), f.good), f.hmac()},
		{"HS256 with a word as secret", HMACToken(f, []byte("secret"), Object{"alg": "HS256"}, f.good), f.hmac()},
		{"a secret's signature as the key's", HMACToken(f, []byte(Secret), f.header, f.good), invalidSignature},
	}
	if f.Shape != Supabase {
		attacks = append(attacks, Attack{"HS256 where there is no secret", HMACToken(f, []byte(Secret), Object{"alg": "HS256"}, f.good), refusedAlgorithm})
	}
	if f.several() {
		attacks = append(attacks,
			Attack{"PS256 signature as RS256", f.Token("PS256", f.Head("RS256"), f.good), invalidSignature},
			Attack{"RS256 signature as PS256", f.Token("RS256", f.Head("PS256"), f.good), invalidSignature},
			Attack{"RSA key as ES256", f.Token("RS256", With(f.Head("RS256"), Object{"alg": "ES256"}), f.good), refusedAlgorithm},
			Attack{"RSA key as RS512", f.Token("RS512", With(f.Head("RS256"), Object{"alg": "RS512"}), f.good), refusedAlgorithm},
			Attack{"Ed25519 key as ES256", f.Token("ES256", With(f.Head("EdDSA"), Object{"alg": "ES256"}), f.good), refusedAlgorithm})
	}
	return attacks
}

// publicKeysAsSecrets are signed with what everybody may know of the key (RFC 8725, section 2.1).
func (f *forger) publicKeysAsSecrets() []Attack {
	var public any = &f.EC.PublicKey
	forms := map[string][]byte{}
	if f.algorithm == "RS256" {
		public = &f.RSA.PublicKey
		pkcs1 := x509.MarshalPKCS1PublicKey(&f.RSA.PublicKey)
		forms["PKCS #1"] = pkcs1
		forms["PKCS #1 PEM"] = pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: pkcs1})
		forms["modulus"] = f.RSA.N.Bytes()
	}
	pkix, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		f.Fatal(err)
	}
	inPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: pkix})
	maps.Copy(forms, map[string][]byte{
		"DER": pkix, "PEM": inPEM, "PEM without newline": bytes.TrimSpace(inPEM),
		"JWK": Text(f, f.JWK(f.algorithm)), "JWKS": []byte(f.JWKS(f.algorithm)),
	})
	var attacks []Attack
	for name, public := range forms {
		attacks = append(attacks, Attack{"HS256 with the public key as " + name, HMACToken(f, public, With(f.header, Object{"alg": "HS256"}), f.good), f.hmac()})
	}
	return attacks
}

func (f *forger) none() []Attack {
	var attacks []Attack
	for _, none := range []string{"none", "None", "NONE", "nOnE", "none ", ""} {
		bare := Encode(Text(f, Object{"alg": none, "typ": "JWT"})) + "." + f.payload + "."
		attacks = append(attacks,
			Attack{"alg " + none + " unsigned", bare, malformed},
			Attack{"alg " + none + " with a signature", bare + f.end, refusedAlgorithm},
			Attack{"alg " + none + " with a kid", f.headed(Object{"alg": none}), refusedAlgorithm})
	}
	return attacks
}

func (f *forger) signatures() []Attack {
	signature, err := base64.RawURLEncoding.DecodeString(f.end)
	if err != nil {
		f.Fatal(err)
	}
	flipped := bytes.Clone(signature)
	flipped[len(flipped)/2] ^= 1
	another := strings.Split(f.claimed(Object{"sub": "somebody-else"}), ".")
	es := f.Head("ES256")
	attacks := []Attack{
		{"one bit of the signature", f.input + "." + Encode(flipped), invalidSignature},
		{"half of the signature", f.input + "." + Encode(signature[:len(signature)/2]), invalidSignature},
		{"more of the signature", f.input + "." + Encode(append(bytes.Clone(signature), 0)), invalidSignature},
		{"signature of another token", f.input + "." + another[2], invalidSignature},
		{"payload of another token", f.head + "." + another[1] + "." + f.end, invalidSignature},
		{"header of another token", Encode(Text(f, With(f.header, Object{"typ": "at+jwt"}))) + "." + f.payload + "." + f.end, invalidSignature},
		{"ECDSA of zeros", f.signed(es, make([]byte, 64)), invalidSignature}, // CVE-2022-21449
		{"ECDSA as DER", f.Token("DER", es, f.good), invalidSignature},
		{"ECDSA of one byte", f.signed(es, []byte{0}), invalidSignature},
		{"ECDSA with the order as r and s", f.signed(es, bytes.Repeat(f.EC.Params().N.Bytes(), 2)), invalidSignature},
	}
	if f.several() {
		attacks = append(attacks,
			Attack{"EdDSA of zeros", f.signed(f.Head("EdDSA"), make([]byte, 64)), invalidSignature},
			Attack{"RSA of zeros", f.signed(f.Head("RS256"), make([]byte, 256)), invalidSignature},
			Attack{"RSA of one", f.signed(f.Head("RS256"), append(make([]byte, 255), 1)), invalidSignature},
			Attack{"RSA with the modulus", f.signed(f.Head("RS256"), f.RSA.N.Bytes()), invalidSignature})
	}
	return attacks
}

func (f *forger) payloads() []Attack {
	return []Attack{
		{"payload is no JSON", f.raw("hello"), malformed},
		{"payload is an array", f.raw("[]"), malformed},
		{"payload is null", f.raw("null"), unknownIssuer},
		{"payload is empty", f.raw("{}"), unknownIssuer},
		{"text after the claims", f.raw(string(Text(f, f.good)) + "{}"), malformed},
		{"sub twice", f.raw(f.before(`"sub":"admin",`)), malformed},
		{"iss twice", f.raw(f.before(`"iss":"https://evil.example",`)), malformed},
		{"exp twice", f.raw(f.before(`"exp":4102444800,`)), malformed},
		{"role twice, nested", f.raw(f.before(`"x":{"role":"user","role":"admin"},`)), malformed},
		{"one name spelled twice", f.raw(f.before(`"\u0073ub":"admin",`)), malformed},
		{"invalid UTF-8 in the claims", f.raw(f.before("\"x\":\"\xff\",")), malformed},
		{"deep nesting", f.raw(`{"a":` + strings.Repeat("[", 4000)), malformed},
	}
}

func (f *forger) claims() []Attack {
	name := f.Name()
	return []Attack{
		{"no iss", f.claimed(Object{"iss": nil}), unknownIssuer},
		{"iss is empty", f.claimed(Object{"iss": ""}), unknownIssuer},
		{"iss is another", f.claimed(Object{"iss": "https://evil.example"}), unknownIssuer},
		{"iss is the attacker's", f.claimed(Object{"iss": f.evil.Name()}), unknownIssuer},
		{"iss has a slash more", f.claimed(Object{"iss": name + "/"}), unknownIssuer},
		{"iss begins like ours", f.claimed(Object{"iss": name + ".evil.example"}), unknownIssuer},
		{"iss in other case", f.claimed(Object{"iss": strings.ToUpper(name)}), unknownIssuer},
		{"iss is a list", f.claimed(Object{"iss": []string{name}}), unknownIssuer},
		{"no sub", f.claimed(Object{"sub": nil}), invalidClaims},
		{"sub is empty", f.claimed(Object{"sub": ""}), invalidClaims},
		{"sub is a number", f.claimed(Object{"sub": 1}), invalidClaims},
		{"sub is 256 long", f.claimed(Object{"sub": strings.Repeat("a", 256)}), invalidClaims},
		{"sub has a NUL", f.claimed(Object{"sub": "a\x00b"}), invalidClaims},
		{"sub has a newline", f.claimed(Object{"sub": "a\nb"}), invalidClaims},
		{"sub has a look-alike", f.claimed(Object{"sub": "аdmin"}), invalidClaims},
	}
}

func (f *forger) times() []Attack {
	in := func(d time.Duration) int64 { return f.at.Add(d).Unix() }
	exp := func(value string) string {
		return f.raw(strings.Replace(string(Text(f, f.good)), `"exp":`, `"exp":`+value+`,"x":`, 1))
	}
	return []Attack{
		{"no exp", f.claimed(Object{"exp": nil}), invalidClaims},
		{"exp is null", exp("null"), invalidClaims},
		{"exp is a string", f.claimed(Object{"exp": "4102444800"}), invalidClaims},
		{"exp is a date", f.claimed(Object{"exp": "2099-01-01T00:00:00Z"}), invalidClaims},
		{"exp is true", f.claimed(Object{"exp": true}), invalidClaims},
		{"exp is a list", f.claimed(Object{"exp": []int64{4102444800}}), invalidClaims},
		{"exp is negative", f.claimed(Object{"exp": -1}), invalidClaims},
		{"exp is huge", exp("1e400"), invalidClaims},
		{"exp is over int64", f.claimed(Object{"exp": 1e19}), invalidClaims},
		{"exp is in milliseconds", f.claimed(Object{"exp": f.at.Add(time.Hour).UnixMilli()}), invalidClaims},
		{"exp is zero", f.claimed(Object{"exp": 0}), expired},
		{"expired", f.claimed(Object{"exp": in(-time.Hour)}), expired},
		{"expired by the leeway", f.claimed(Object{"exp": in(-leeway)}), expired},
		{"nbf in the future", f.claimed(Object{"nbf": in(time.Hour)}), notYetValid},
		{"nbf is a string", f.claimed(Object{"nbf": "0"}), invalidClaims},
		{"iat in the future", f.claimed(Object{"iat": in(time.Hour)}), notYetValid},
		{"iat is a string", f.claimed(Object{"iat": "0"}), invalidClaims},
	}
}

// recipients are meant for others, by aud or azp, whichever the provider's tokens are checked for, or for nobody who is signed in.
func (f *forger) recipients() []Attack {
	if f.Shape == Clerk {
		return []Attack{
			{"azp is another", f.claimed(Object{"azp": "https://evil.example"}), wrongParty},
			{"azp begins like ours", f.claimed(Object{"azp": Origin + ".evil.example"}), wrongParty},
			{"azp has a slash more", f.claimed(Object{"azp": Origin + "/"}), wrongParty},
			{"azp by http", f.claimed(Object{"azp": strings.Replace(Origin, "https", "http", 1)}), wrongParty},
			{"azp is empty", f.claimed(Object{"azp": ""}), wrongParty},
			{"azp is null", f.raw(strings.Replace(string(Text(f, f.good)), `"azp":"`+Origin+`"`, `"azp":null`, 1)), wrongParty},
			{"azp is a list", f.claimed(Object{"azp": []string{Origin}}), wrongParty},
			{"the session is pending", f.claimed(Object{"sts": "pending"}), inactiveSession},
			{"the session has a list of states", f.claimed(Object{"sts": []string{"active", "pending"}}), inactiveSession},
		}
	}
	audience := f.Shape.audience()
	attacks := []Attack{
		{"no aud", f.claimed(Object{"aud": nil}), wrongAudience},
		{"aud is another", f.claimed(Object{"aud": "evil"}), wrongAudience},
		{"aud begins like ours", f.claimed(Object{"aud": audience + "2"}), wrongAudience},
		{"aud is an empty list", f.claimed(Object{"aud": []string{}}), wrongAudience},
		{"aud is a list of others", f.claimed(Object{"aud": []string{"a", "b"}}), wrongAudience},
		{"aud is mixed", f.claimed(Object{"aud": []any{audience, 1}}), wrongAudience},
		{"aud is an object", f.claimed(Object{"aud": Object{audience: true}}), wrongAudience},
		{"aud is a number", f.claimed(Object{"aud": 1}), wrongAudience},
	}
	if f.Shape == Supabase { // the keys of a project are tokens too: everybody has the one, and the other is its server's
		for _, role := range []string{"anon", "service_role"} {
			key := Object{"iss": "supabase", "ref": "abcdefghijklmnopqrst", "role": role, "iat": f.good["iat"], "exp": f.good["exp"]}
			attacks = append(attacks,
				Attack{"the project's " + role + " key", f.Sign("HS256", key), unknownIssuer},
				Attack{"a token of " + role, f.Sign("HS256", With(f.good, Object{"aud": role, "role": role})), wrongAudience})
		}
	}
	return attacks
}

// Padded is a valid token of exactly size bytes, signed by the usual algorithm. Both parts are padded, as base64 has no
// text of 4n+1 characters.
func (i *Issuer) Padded(claims Object, size int) string {
	i.Helper()
	algorithm := i.Algorithms()[0]
	length := base64.RawURLEncoding.EncodedLen
	signature := length(len(i.Signature(algorithm, "")))
	for extra := range 3 {
		header := With(i.Head(algorithm), Object{"pad": strings.Repeat("a", extra)})
		fixed := length(len(Text(i, header))) + signature + len("..")
		payload := len(Text(i, With(claims, Object{"pad": ""})))
		for n := range size {
			if fixed+length(payload+n) == size {
				return i.Token(algorithm, header, With(claims, Object{"pad": strings.Repeat("a", n)}))
			}
		}
	}
	i.Fatal("no such size")
	return ""
}

// inStandardAlphabet is a valid token but for a signature in the alphabet with + and /.
func (f *forger) inStandardAlphabet() string {
	for n := 0; ; n++ { // until the two alphabets spell it differently
		token := f.claimed(Object{"jti": n})
		signature := token[strings.LastIndexByte(token, '.')+1:]
		if standard := strings.NewReplacer("-", "+", "_", "/").Replace(signature); standard != signature {
			return strings.TrimSuffix(token, signature) + standard
		}
	}
}

// Respelled changes the last character of a token without changing the bytes that its signature decodes to, of which
// there are 256 or 64.
func Respelled(token string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, token[len(token)-1])
	return token[:len(token)-1] + string(alphabet[last^1])
}
