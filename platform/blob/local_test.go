package blob

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/config"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/keyring"
)

func openLocal(t testing.TB, folder string, now clock.Clock) *Local {
	t.Helper()
	local, err := OpenLocal(folder, keyring.New("a secret of thirty-two characters", ""), "http://localhost", now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(local.Close)
	return local
}

// Files outlive the process, in the folder that the settings name, and one key may begin with another.
func TestWhereLocalFilesAre(t *testing.T) {
	t.Parallel()
	dataDir := t.TempDir()
	keys := keyring.New("a secret of thirty-two characters", "")
	for range 2 {
		store, release, err := Open(config.Storage{Provider: config.StorageLocal}, dataDir, keys, "http://localhost/files", clock.System{})
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"a", "a/b", "a/b/c", "a-b"} {
			put(t, store, key, key)
		}
		var found []string
		for object, err := range store.List(t.Context(), "") {
			if err != nil {
				t.Fatal(err)
			}
			found = append(found, object.Key)
			wantFile(t, store, object.Key, object.Key)
		}
		if !slices.Equal(found, []string{"a", "a-b", "a/b", "a/b/c"}) {
			t.Errorf("there are %q", found)
		}
		release()
	}
	content, err := os.ReadFile(filepath.Join(dataDir, "blobs", "a", "b@"))
	if err != nil || !strings.HasPrefix(string(content), "a/b{") {
		t.Errorf("the file is %q, %v", content, err)
	}
	for name, want := range map[string]os.FileMode{"": 0o700, "a": 0o700, "a/b@": 0o600} {
		info, err := os.Stat(filepath.Join(dataDir, "blobs", name))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%q may be used by %v, %v", name, info.Mode(), err)
		}
	}
}

// What a crash left is gone after the next start, unless somebody may still be at it. Nothing of it was ever to be seen.
func TestWhatACrashLeftIsSwept(t *testing.T) {
	t.Parallel()
	folder, now := t.TempDir(), clock.NewManual(time.Now())
	local := openLocal(t, folder, now)
	for _, name := range []string{"OLD", "RECENT"} {
		if err := os.WriteFile(filepath.Join(folder, newFolder, name), []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	before := now.Now().Add(-2 * time.Hour)
	if err := os.Chtimes(filepath.Join(folder, newFolder, "OLD"), before, before); err != nil {
		t.Fatal(err)
	}
	put(t, local, "whole", "whole")
	if got := keys(t, local, ""); !slices.Equal(got, []string{"whole"}) {
		t.Errorf("there are %q", got)
	}
	for _, want := range [][]string{{"RECENT"}, nil} {
		openLocal(t, folder, now)
		left, err := os.ReadDir(filepath.Join(folder, newFolder))
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, entry := range left {
			names = append(names, entry.Name())
		}
		if !slices.Equal(names, want) {
			t.Errorf("left are %q, want %q", names, want)
		}
		now.Advance(3 * time.Hour)
	}
	wantFile(t, local, "whole", "whole")
}

// A link in the folder leads nowhere outside of it.
func TestNothingOutsideOfTheFolderIsReached(t *testing.T) {
	t.Parallel()
	folder, outside := t.TempDir(), t.TempDir()
	local := openLocal(t, folder, clock.System{})
	put(t, openLocal(t, outside, clock.System{}), "secret", "secret")
	for name, target := range map[string]string{"out": outside, "up": "..", "direct@": filepath.Join(outside, "secret@")} {
		if err := os.Symlink(target, filepath.Join(folder, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"out/secret", "up/secret", "direct"} {
		if got, err := get(t, local, key, 0, Whole); err == nil || strings.Contains(err.Error(), folder) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %q, %v", key, got, err)
		}
	}
	if err := local.Put(t.Context(), "out/new", strings.NewReader("x"), 1, text); err == nil {
		t.Error("something was put outside")
	}
	if left, _ := os.ReadDir(outside); len(left) != 2 {
		t.Errorf("outside are %v", left)
	}
}

// A file that somebody else wrote or cut isn't taken for one of ours.
func TestDamagedFiles(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	local := openLocal(t, folder, clock.System{})
	put(t, local, "a", strings.Repeat("content", 1000))
	name := filepath.Join(folder, "a@")
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, damaged := range []string{
		"", "x", magic, "\xff\xff\xff\xff" + magic, "\x00\x00\x00\x00" + magic, "{}\x00\x00\x00\x02" + magic, string(whole[1:]), "x" + string(whole),
		string(whole[:len(whole)-1]), string(whole) + "x", string(whole[:100]),
	} {
		if err := os.WriteFile(name, []byte(damaged), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := local.Stat(t.Context(), "a")
		if got, gotten := get(t, local, "a", 0, Whole); !errs.Is(err, errs.External) || !errs.Is(gotten, errs.External) {
			t.Errorf("%.30q: %.30q, %v, %v", damaged, got, err, gotten)
		}
	}
	put(t, local, "a", "new")
	wantFile(t, local, "a", "new")
}

// A folder that can't be used is an error without its name.
func TestAFolderInTrouble(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	folder := filepath.Join(parent, "canary")
	local := openLocal(t, folder, clock.System{})
	put(t, local, "a", "a")
	if err := os.RemoveAll(filepath.Join(folder, newFolder)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, newFolder), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := local.Put(t.Context(), "a", strings.NewReader("b"), 1, text); !errs.Is(err, errs.Unavailable) || strings.Contains(err.Error(), "canary") {
		t.Errorf("a Put: %v", err)
	}
	wantFile(t, local, "a", "a")
	for _, folder := range []string{filepath.Join(folder, "a@"), folder} {
		if _, err := OpenLocal(folder, keyring.New("", ""), "", clock.System{}); err == nil {
			t.Errorf("%s was opened", folder)
		}
	}
}

// A URL that was made before the secret key was replaced is good until it expires.
func TestLinksOutliveAChangeOfTheKey(t *testing.T) {
	t.Parallel()
	const older, newer = "the older secret of the product!", "the newer secret of the product!"
	now := time.Now()
	before := links{keyring.New(older, "").Signer("link to a file"), "http://localhost"}
	target := strings.TrimPrefix(before.download("a", "a.txt", now.Add(time.Hour)), "http://localhost/a?")
	for ring, good := range map[*keyring.Keyring]bool{keyring.New(newer, older): true, keyring.New(newer, ""): false} {
		params, err := links{ring.Signer("link to a file"), ""}.verify(http.MethodGet, "a", target, now)
		if good && (err != nil || params.Get(paramFilename) != "a.txt") || !good && !errs.Is(err, errs.Forbidden) {
			t.Errorf("%v, %v, want it to be good: %t", params, err, good)
		}
	}
}

// A path that doesn't name the key as it was signed leads nowhere, whatever it means to a file system.
func TestPathsOfLinks(t *testing.T) {
	t.Parallel()
	s := localSubject(t, t.TempDir())
	put(t, s, "a/b", "content")
	put(t, s, "b", "other")
	target, err := s.PresignDownload(t.Context(), "a/b", "b", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/a//b", "/a/b/", "/a%2fb", "/%61/b", "/a/./b", "/x/../a/b", "/b", "/", "//a/b", `/a\b`, "/a/b%00", "/../files/a/b", "/A/b"} {
		got := call(t, "GET", strings.Replace(target, "/a/b", path, 1), "", nil, func(r *http.Request) {
			r.URL.Opaque = "//" + r.URL.Host + "/api/v1/public/files" + path // as it is, without what the client makes of it
		})
		if got.status < 400 || strings.Contains(got.body, "content") || !strings.Contains(got.body, `{"error":{"code":"`) {
			t.Errorf("%s is answered %d %s, %v", path, got.status, got.body, got.err)
		}
	}
	for method, want := range map[string]int{"GET": 200, "HEAD": 200, "PUT": 403, "POST": 405, "DELETE": 405} {
		got := call(t, method, target, "", nil, nil)
		if got.status != want || method == "HEAD" && got.header.Get("Content-Length") != "7" {
			t.Errorf("%s is answered %d %s", method, got.status, got.body)
		}
	}
	known, _ := s.Stat(t.Context(), "a/b")
	if got := call(t, "GET", target, "", map[string]string{"If-None-Match": `"` + known.ETag + `"`}, nil); got.status != 304 {
		t.Errorf("what one has is answered %d", got.status)
	}
}

func FuzzCheckKey(f *testing.F) {
	for _, key := range append(badKeys, "a", "a/b.txt", "projects/42/a-b_c") {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		if CheckKey(key) != nil {
			return
		}
		// A good key is the same to a file system, in a URL, and to whoever folds letters, and leads to nothing above it.
		clean := filepath.Clean(key)
		if clean != key || !filepath.IsLocal(key) || strings.ToLower(key) != key || strings.ContainsAny(key, "\\%?#@: \x00") || len(key) > MaxKey ||
			strings.Trim(key, "abcdefghijklmnopqrstuvwxyz0123456789._-/") != "" || strings.HasPrefix(key, newFolder) {
			t.Errorf("%q is taken for a good key", key)
		}
		for cut := range len(key) {
			if err := checkPrefix(key[:cut]); err != nil {
				t.Errorf("%q is the beginning of a good key: %v", key[:cut], err)
			}
		}
	})
}

// Of all queries only those that were signed are taken.
func FuzzVerifyLink(f *testing.F) {
	l := links{keyring.New("a secret of thirty-two characters", "").Signer("link to a file"), "b"}
	now := time.Unix(1_800_000_000, 0)
	signed := map[string]string{} // the method and key by the query
	sign := func(method, key, target string) string {
		query := strings.TrimPrefix(target, "b/"+key+"?")
		signed[query] = method + key
		return query
	}
	download := sign("GET", "a/b", l.download("a/b", "a \"b\"&expires=1;c\n.txt", now.Add(time.Hour)))
	upload := sign("PUT", "a/b", l.upload("a/b", 17, "text/plain; charset=utf-8", now.Add(time.Hour)).URL)
	late := sign("GET", "a/c", l.download("a/c", "x", now))
	f.Add("GET", "a/b", download)
	f.Add("PUT", "a/b", upload)
	f.Add("GET", "a/c", late)
	f.Add("GET", "a/b", download+"&signature=x")
	f.Add("GET", "a/b", "signature=&expires=9999999999")
	f.Fuzz(func(t *testing.T, method, key, query string) {
		params, err := l.verify(method, key, query, now)
		if err == nil {
			// Another order or spelling of the same parameters is the same query.
			params.Set(paramSignature, "")
			for known, of := range signed {
				if of == method+key && known != late && strings.HasPrefix(sorted(query), sorted(known)) {
					return
				}
			}
			t.Errorf("%s %s?%s is taken", method, key, query)
		}
		if err != nil && !errs.Is(err, errs.Forbidden) {
			t.Errorf("%s %s?%s: %v", method, key, query, err)
		}
	})
}

func sorted(query string) string {
	parts := strings.Split(query, "&")
	slices.Sort(parts)
	return strings.Join(parts, "&")
}

func TestCheckFindsABrokenStore(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	local := openLocal(t, folder, clock.System{})
	if err := Check(t.Context(), local); err != nil {
		t.Error(err)
	}
	for name, broken := range map[string]Store{"forgets": forgetting{local}, "changes": changing{local}} {
		if err := Check(t.Context(), broken); err == nil {
			t.Errorf("one that %s is all right", name)
		}
	}
}

type forgetting struct{ *Local }

func (f forgetting) Put(ctx context.Context, _ string, body io.Reader, size int64, kind string) error {
	return f.Local.Put(ctx, "elsewhere", body, size, kind)
}

type changing struct{ *Local }

func (c changing) Put(ctx context.Context, key string, _ io.Reader, _ int64, kind string) error {
	return c.Local.Put(ctx, key, strings.NewReader("x"), 1, kind)
}
