//scaffold:needs projects

package crash

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/omnistack/omnistack/platform/blob"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/keyring"
	"github.com/omnistack/omnistack/test/apptest"
)

// TestAKilledProgramOrphansNoFile proves that whatever a kill interrupts, uploads, completions, deletions or the job that removes, a
// file that was said to be ready is whole, and in the end nothing is kept that is nobody's.
func TestAKilledProgramOrphansNoFile(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *site) {
		token := s.token("alice")
		var mu sync.Mutex
		said := map[string]bool{} // the ids of files that are ready, and nobody wanted to delete
		for range 4 {
			p := s.start()
			answered, err := call(p.host, token, http.MethodPost, "/api/v1/app/projects", `{"name": "Apollo"}`)
			if err != nil {
				t.Fatal(err)
			}
			files := fmt.Sprintf("/api/v1/app/projects/%s/files", answered["id"])
			var working sync.WaitGroup
			enough := make(chan struct{})
			count, wanted := 0, 20+rand.IntN(60)
			for i := range 6 {
				working.Go(func() {
					for {
						ready, err := keep(p.host, token, files, i%3 == 0)
						if err != nil {
							return // the program is gone
						}
						mu.Lock()
						if count++; count == wanted {
							close(enough)
						}
						if ready != "" {
							said[ready] = true
						}
						mu.Unlock()
					}
				})
			}
			select {
			case <-enough:
			case <-time.After(patience):
				t.Fatal("no file is ready")
			}
			p.kill()
			working.Wait()
		}

		s.start()
		err := s.db.WithinTx(t.Context(), func(ctx context.Context) error { // as if time had gone by
			for _, statement := range []string{
				"UPDATE blob_removals SET due_at = '2026-01-01 00:00:00+00:00'", "UPDATE projects_files SET expires_at = '2026-01-01 00:00:00+00:00'",
			} {
				if err := s.db.Tx(ctx).Exec(statement).Error; err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		apptest.Work(t, s.db, "projects.forget_expired")
		apptest.Work(t, s.db, "blob.remove_due")

		store, err := blob.OpenLocal(filepath.Join(s.folder, "blobs"), keyring.New("", ""), "", clock.System{})
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		var kept []string
		for object, err := range store.List(t.Context(), "") {
			if err != nil {
				t.Fatal(err)
			}
			if object.Size != int64(len(content)) {
				t.Errorf("%s has %d bytes", object.Key, object.Size)
			}
			kept = append(kept, object.Key)
		}
		wanted, err := database.All(s.db.Read(t.Context()).Raw("SELECT object FROM projects_files ORDER BY object"), database.Scalar[string])
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(kept, wanted) {
			t.Errorf("%d objects are kept for %d files", len(kept), len(wanted))
		}
		ids, err := database.All(s.db.Read(t.Context()).Raw("SELECT id FROM projects_files"), database.Scalar[string])
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range ids {
			delete(said, id)
		}
		if len(said) > 0 {
			t.Errorf("%d files that were ready are gone", len(said))
		}
		t.Logf("%d files are there", len(ids))
	})
}

const content = "this was kept"

// keep uploads a file and completes it, and perhaps deletes it. It returns the id of one that is ready, "" for one that was deleted.
func keep(host, token, files string, forget bool) (ready string, err error) {
	begun, err := call(host, token, http.MethodPost, files, fmt.Sprintf(`{"filename": "a.txt", "content_type": "text/plain", "size": %d}`, len(content)))
	if err != nil {
		return "", err
	}
	upload, _ := begun["upload"].(map[string]any)
	_, target, _ := strings.Cut(fmt.Sprint(upload["url"]), "https://api.example.com")
	request, err := http.NewRequest(http.MethodPut, "http://"+host+target, strings.NewReader(content))
	if err != nil {
		return "", err
	}
	request.Header.Set("Content-Type", "text/plain")
	request.Header.Set("X-Forwarded-Proto", "https")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	if text, err := io.ReadAll(answer.Body); err != nil || answer.StatusCode != http.StatusOK {
		return "", fmt.Errorf("the upload is answered %d %.300s, %w", answer.StatusCode, text, err)
	}
	id := fmt.Sprint(begun["id"])
	if _, err := call(host, token, http.MethodPost, files+"/"+id+"/complete", ""); err != nil || !forget {
		return id, err
	}
	_, err = call(host, token, http.MethodDelete, files+"/"+id, "")
	return "", err
}

// call sends a request and returns the object of the answer. What isn't good is an error.
func call(host, token, method, path, body string) (map[string]any, error) {
	request, err := http.NewRequest(method, "http://"+host+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode/100 != 2 {
		return nil, fmt.Errorf("%s %s is answered %d %.300s, %w", method, path, answer.StatusCode, text, err)
	}
	if len(text) == 0 {
		return nil, nil
	}
	var object map[string]any
	err = json.Unmarshal(text, &object)
	return object, err
}
