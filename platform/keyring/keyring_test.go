package keyring_test

import (
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
	if keyring.New(newSecret, "").Signer("cursor").Verify(message, before) {
		t.Error("accepted the previous secret's signature after the rotation")
	}
}
