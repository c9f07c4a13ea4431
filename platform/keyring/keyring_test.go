package keyring_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/omnistack/omnistack/platform/keyring"
)

const (
	oldSecret = "an old secret of thirty-two bytes"
	newSecret = "a new secret of thirty-two bytes!"
)

func TestASignatureHoldsForItsPurposeOnly(t *testing.T) {
	ring := keyring.New(newSecret, "")
	message := []byte("message")
	signature := ring.Signer("cursor").Sign(message)

	if !ring.Signer("cursor").Verify(message, signature) {
		t.Error("refused its own signature")
	}
	if ring.Signer("link").Verify(message, signature) {
		t.Error("accepted another purpose's signature")
	}
	if ring.Signer("cursor").Verify([]byte("massage"), signature) {
		t.Error("accepted the signature of another message")
	}
}

func TestTheSecretRotates(t *testing.T) {
	message := []byte("message")
	before := keyring.New(oldSecret, "").Signer("cursor").Sign(message)

	if !keyring.New(newSecret, oldSecret).Signer("cursor").Verify(message, before) {
		t.Error("refused the previous secret's signature while rotating")
	}
	rotating := keyring.New(newSecret, oldSecret).Signer("cursor")
	if all := rotating.Signatures(message); len(all) != 2 || !bytes.Equal(all[0], rotating.Sign(message)) || !bytes.Equal(all[1], before) {
		t.Errorf("while rotating the signatures are %x", all)
	}
	if keyring.New(newSecret, "").Signer("cursor").Verify(message, before) {
		t.Error("accepted the previous secret's signature after the rotation")
	}
}

func TestWhatIsSealedOpensForItsPurposeAndPlaceOnly(t *testing.T) {
	ring := keyring.New(newSecret, "")
	sealer := ring.Sealer("mail")
	for _, plain := range []string{"", "m", "a longer message with ada@example.com in it"} { // a letter may be in there by chance
		sealed := sealer.Seal([]byte(plain), []byte("row 1"))
		if opened, err := ring.Sealer("mail").Open(sealed, []byte("row 1")); err != nil || string(opened) != plain {
			t.Errorf("%q comes back as %q, %v", plain, opened, err)
		}
		if len(sealed) != len(plain)+28 || len(plain) > 8 && bytes.Contains(sealed, []byte(plain)) {
			t.Errorf("%q is sealed as %q", plain, sealed)
		}
		if bytes.Equal(sealed, sealer.Seal([]byte(plain), []byte("row 1"))) {
			t.Error("the same is sealed alike twice, which tells that it is the same")
		}
		refuse := func(what string, sealer keyring.Sealer, sealed []byte, about string) {
			t.Helper()
			if opened, err := sealer.Open(sealed, []byte(about)); !errors.Is(err, keyring.ErrSealed) || opened != nil {
				t.Errorf("%s: opened %q, %v", what, opened, err)
			}
		}
		refuse("another purpose", ring.Sealer("link"), sealed, "row 1")
		refuse("another place", sealer, sealed, "row 2")
		refuse("cut", sealer, sealed[:len(sealed)-1], "row 1")
		refuse("nothing", sealer, nil, "row 1")
		for i := range sealed {
			changed := bytes.Clone(sealed)
			changed[i] ^= 1
			refuse("changed", sealer, changed, "row 1")
		}
	}
}

func TestTheSealRotatesWithTheSecret(t *testing.T) {
	before := keyring.New(oldSecret, "").Sealer("mail").Seal([]byte("message"), nil)

	opened, err := keyring.New(newSecret, oldSecret).Sealer("mail").Open(before, nil)
	if err != nil || string(opened) != "message" {
		t.Errorf("what the previous secret sealed comes back as %q, %v", opened, err)
	}
	if _, err := keyring.New(newSecret, "").Sealer("mail").Open(before, nil); !errors.Is(err, keyring.ErrSealed) {
		t.Errorf("after the rotation: %v", err)
	}
	after := keyring.New(newSecret, oldSecret).Sealer("mail").Seal([]byte("message"), nil)
	if _, err := keyring.New(oldSecret, "").Sealer("mail").Open(after, nil); err == nil {
		t.Error("the previous secret still seals")
	}
}
