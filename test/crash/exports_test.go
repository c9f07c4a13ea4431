//scaffold:needs projects

package crash

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/omnistack/omnistack/platform/blob"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/testkit"
	"github.com/omnistack/omnistack/test/apptest"
)

// The program is killed while the data of many people is exported. What was going on is done again when the program is back: in the end
// every export that was promised is ready, told of once, whole and of its owner alone, and no archive is there that isn't an export's.
func TestAKilledProgramExportsWhole(t *testing.T) {
	const people = 40
	eachEngine(t, func(t *testing.T, s *site) {
		p := s.start()
		everyone(people, func(subject string) {
			for range 3 {
				made := s.call(p.host, http.MethodPost, projects, subject, fmt.Sprintf(`{"name": "Made by %s."}`, subject))
				if !made.good() {
					t.Errorf("%s: %s", subject, made)
				}
			}
		})
		broken := 0
		for round := range 3 {
			ready := func() int { return testkit.Rows(t, s.db, "users_exports", "status = 'ready'") }
			enough := ready() + 1 + rand.IntN(people/2)
			var asking sync.WaitGroup
			asking.Go(func() {
				everyone(people, func(subject string) { _ = s.call(p.host, http.MethodPost, "/api/v1/app/users/me/exports", subject, "") })
			})
			apptest.Await(t, "exports", func() bool { return ready() >= enough })
			p.kill()
			asking.Wait()
			left := testkit.Rows(t, s.db, "users_exports", "status = 'running'")
			t.Logf("kill %d: %d exports are ready, %d were being made", round+1, ready(), left)
			broken += left
			s.ownArchives()
			apptest.Change(t, s.db, "UPDATE river_job SET state = 'available' WHERE state = 'running'") // as the rescuer does, minutes later
			p = s.start()
		}
		if broken == 0 {
			t.Error("no kill broke an export off")
		}
		s.await("all exports", "SELECT count(*) FROM users_exports WHERE status <> 'ready'")
		promised := testkit.Rows(t, s.db, "users_exports", "")
		if told := testkit.Rows(t, s.db, "events_outbox", "name = 'users.export_ready.v1'"); told != promised {
			t.Errorf("there are %d exports, and %d were told of", promised, told)
		}
		if archives := s.ownArchives(); archives != promised {
			t.Errorf("there are %d exports, and %d archives", promised, archives)
		}
		p.stop()
		left, err := filepath.Glob(filepath.Join(s.folder, "*", "export-*"))
		if err != nil || len(left) > 0 {
			t.Errorf("what was being made is left in %s, %v", left, err)
		}
	})
}

// ownArchives returns how many archives are there, and checks that each is an export's, whole, and of its owner alone.
func (s *site) ownArchives() int {
	s.t.Helper()
	type export struct{ object, owner string }
	exports, err := database.All(s.db.Read(s.t.Context()).Raw("SELECT object, user_id FROM users_exports"), func(row database.Row) (export, error) {
		var e export
		err := row.Scan(&e.object, &e.owner)
		return e, err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	owners := map[string]string{}
	for _, e := range exports {
		owners[e.object] = e.owner
	}
	files := s.files()
	archives := stored(s.t, files, "exports/")
	for _, archive := range archives {
		owner, known := owners[archive.Key]
		if !known {
			s.t.Errorf("%s is no export's", archive.Key)
			continue
		}
		s.wantExport(files, archive, owner)
	}
	return len(archives)
}

func (s *site) wantExport(files blob.Store, archive blob.Object, owner string) {
	s.t.Helper()
	body, err := files.Get(s.t.Context(), archive.Key, 0, blob.Whole)
	if err != nil {
		s.t.Fatal(err)
	}
	defer body.Close()
	content, err := io.ReadAll(body)
	if err != nil {
		s.t.Fatal(err)
	}
	bundle, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		s.t.Errorf("the archive of %s: %v", owner, err)
		return
	}
	made, err := bundle.Open("projects/projects.json")
	if err != nil {
		s.t.Errorf("the archive of %s: %v", owner, err)
		return
	}
	defer made.Close()
	text, err := io.ReadAll(made)
	own := strings.Count(string(text), "Made by "+owner+".")
	if err != nil || own != 3 || strings.Count(string(text), "Made by ") != own {
		s.t.Errorf("the projects of %s are %s, %v", owner, text, err)
	}
}
