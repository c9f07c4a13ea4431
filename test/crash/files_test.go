//scaffold:needs projects

package crash

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/test/apptest"
)

// TestAKilledProgramOrphansNoFile proves that whatever a kill interrupts, uploads, completions, deletions or the job that removes, a
// file that was said to be ready is whole, and in the end nothing is kept that is nobody's.
func TestAKilledProgramOrphansNoFile(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *site) {
		var mu sync.Mutex
		said := map[string]bool{} // the ids of files that are ready, and nobody wanted to delete
		for range 4 {
			p := s.start()
			answered, err := object(s.call(p.host, http.MethodPost, projects, "alice", `{"name": "Apollo"}`))
			if err != nil {
				t.Fatal(err)
			}
			files := fmt.Sprintf("%s/%s/files", projects, answered["id"])
			p.killAmid(6, 20+rand.Int64N(60), func(i int) error {
				ready, err := s.keep(p.host, files, i%3 == 0)
				if err != nil || ready == "" {
					return err
				}
				mu.Lock()
				defer mu.Unlock()
				said[ready] = true
				return nil
			})
		}

		s.start()
		for _, statement := range []string{ // as if time had gone by
			"UPDATE blob_removals SET due_at = '2026-01-01 00:00:00+00:00'", "UPDATE projects_files SET expires_at = '2026-01-01 00:00:00+00:00'",
		} {
			apptest.Change(t, s.db, statement)
		}
		apptest.Work(t, s.db, "projects.forget_expired")
		apptest.Work(t, s.db, "blob.remove_due")

		var kept []string
		for _, object := range stored(t, s.files(), "") {
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
func (s *site) keep(host, files string, forget bool) (ready string, err error) {
	begun, err := object(s.call(host, http.MethodPost, files, "alice",
		fmt.Sprintf(`{"filename": "a.txt", "content_type": "text/plain", "size": %d}`, len(content))))
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
	if put := read(http.DefaultClient.Do(request)); !put.good() {
		return "", fmt.Errorf("the upload: %s", put)
	}
	id := fmt.Sprint(begun["id"])
	if completed := s.call(host, http.MethodPost, files+"/"+id+"/complete", "alice", ""); !completed.good() {
		return "", fmt.Errorf("completing: %s", completed)
	}
	if !forget {
		return id, nil
	}
	if deleted := s.call(host, http.MethodDelete, files+"/"+id, "alice", ""); !deleted.good() {
		return "", fmt.Errorf("deleting: %s", deleted)
	}
	return "", nil
}

// object returns the JSON of an answer that is good.
func object(a answer) (map[string]any, error) {
	if !a.good() {
		return nil, fmt.Errorf("%s", a)
	}
	var value map[string]any
	err := json.Unmarshal(a.body, &value)
	return value, err
}
