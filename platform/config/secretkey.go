package config

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// complete gives a desk its secret key.
func (c *Core) complete(check *Check) {
	if c.SecretKey != "" || !check.Environment.OnDesk() {
		return
	}
	key, err := keptSecretKey(c.DataDir)
	if err != nil {
		check.Refuse("SECRET_KEY", "must be set, since none can be kept in DATA_DIR: %s", err)
		return
	}
	c.SecretKey = key
	check.generated("SECRET_KEY")
}

// generated records that a setting holds a value of our own making.
func (c *Check) generated(name string) {
	if f := c.loader.byName[name]; f != nil {
		f.Value, f.Source = mask, sourceGenerated
	}
}

// keptSecretKey returns the key in dir/secret_key, and makes one when there is none. Processes that start at once agree:
// each writes its own key under another name, and a hard link gives the real name to the first one only, with the whole
// key in it. Creating the file under its real name would let the others read it half written.
func keptSecretKey(dir string) (Secret, error) {
	path := filepath.Join(dir, "secret_key")
	if key, err := readSecretKey(path); !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	draft, err := os.CreateTemp(dir, ".secret_key-*") // 0600, and gone below
	if err != nil {
		return "", err
	}
	defer func() { _ = os.Remove(draft.Name()) }() // its link stays
	key := make([]byte, 32)
	rand.Read(key) // never fails, says its documentation
	_, err = draft.WriteString(base64.StdEncoding.EncodeToString(key) + "\n")
	if err := errors.Join(err, draft.Sync(), draft.Close()); err != nil {
		return "", err
	}
	if err := os.Link(draft.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	return readSecretKey(path)
}

func readSecretKey(path string) (Secret, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	key := strings.TrimSpace(string(text))
	if len(key) < 32 {
		return "", fmt.Errorf("%s holds fewer than 32 bytes; delete it and a new key is made", path)
	}
	return Secret(key), nil
}
