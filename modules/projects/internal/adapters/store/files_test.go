package store_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/omnistack/omnistack/modules/projects/internal/app"
	"github.com/omnistack/omnistack/modules/projects/internal/domain"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/database/storetest"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/page"
)

// The conformance suite of app.FileStore.

func pending(owner id.Scope, projectID, fileID string) domain.File {
	return domain.File{
		ID: fileID, ProjectID: projectID, Owner: owner, Filename: "a.txt", Type: "text/plain", Size: 10, ExpiresAt: later,
		Version: 1, CreatedAt: birth, UpdatedAt: birth,
	}
}

func ready(owner id.Scope, projectID, fileID string) domain.File {
	file := pending(owner, projectID, fileID)
	file.Accept("projects/"+fileID, later)
	return file
}

// addFiles stores the files.
func (s suite) addFiles(t testing.TB, files ...domain.File) {
	t.Helper()
	storetest.Commit(t, s.db, func(ctx context.Context) error {
		for _, file := range files {
			if err := s.InsertFile(ctx, file); err != nil {
				return err
			}
		}
		return nil
	})
}

// left returns the ids of all files.
func (s suite) left(t testing.TB) []string {
	t.Helper()
	ids, err := database.All(s.db.Read(t.Context()).Raw("SELECT id FROM projects_files ORDER BY id"), database.Scalar[string])
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

func TestFilesComeBackAsTheyWere(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		r := storetest.Random(t)
		for range 50 {
			owner := id.Of(storetest.Text(r, 64))
			project := randomProject(r, owner)
			file := randomFile(r, owner, project.ID)
			s.add(t, project)
			s.addFiles(t, file)
			got, err := s.FindFile(t.Context(), owner, project.ID, file.ID)
			if err != nil || !reflect.DeepEqual(got, file) {
				t.Fatalf("got %+v, %v, want %+v", got, err, file)
			}
		}
	})
}

func randomFile(r *rand.Rand, owner id.Scope, projectID string) domain.File {
	return domain.File{
		ID: id.New(), ProjectID: projectID, Owner: owner, Filename: storetest.Text(r, domain.MaxFilename), Type: storetest.Text(r, 50),
		Size: 1 + r.Int64N(1<<40), Object: storetest.Text(r, 100), ExpiresAt: storetest.Time(r), Version: 1 + r.Int64N(1<<40),
		CreatedAt: storetest.Time(r), UpdatedAt: storetest.Time(r),
	}
}

// A file is seen by its owner, in its project, as long as that lives.
func TestFilesOfOthersAreNotThere(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		s.add(t, plain(alice, "p1"), plain(alice, "p2"), plain(alice, "p3"), plain(bob, "p4"))
		s.addFiles(t, ready(alice, "p1", "f1"), ready(alice, "p3", "f3"), ready(bob, "p4", "f4"))
		storetest.Commit(t, s.db, func(ctx context.Context) error { return s.deleteAt(ctx, alice, "p3") })
		for _, test := range []struct {
			owner         id.Scope
			project, file string
			found         bool
		}{{alice, "p1", "f1", true}, {bob, "p1", "f1", false}, {alice, "p2", "f1", false}, {alice, "p3", "f3", false}, {alice, "p4", "f4", false}, {alice, "p1", "f9", false}} {
			_, err := s.FindFile(t.Context(), test.owner, test.project, test.file)
			locked := s.db.WithinTx(t.Context(), func(ctx context.Context) error {
				_, err := s.LockFile(ctx, test.owner, test.project, test.file)
				return err
			})
			for _, err := range []error{err, locked} {
				if (err == nil) != test.found || err != nil && !errs.Is(err, errs.NotFound) {
					t.Errorf("%+v: got %v", test, err)
				}
			}
			items, total, err := s.ListFiles(t.Context(), test.owner, test.project, everything(app.NewestFirst))
			if want := test.owner == alice && test.project == "p1"; err != nil || (total == 1) != want || (len(items) == 1) != want {
				t.Errorf("%+v: %d of %d files are listed, %v", test, len(items), total, err)
			}
		}
		for owner, want := range map[id.Scope]int64{alice: 10, bob: 10, id.Of("nobody"): 0} {
			if got, err := s.Stored(t.Context(), owner); err != nil || got != want {
				t.Errorf("%s stores %d, %v, want %d", owner.User, got, err, want)
			}
		}
	})
}

func TestFilesAreListedInOrder(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		s.add(t, plain(alice, "p1"))
		var want []string
		for i := range 7 {
			file := pending(alice, "p1", fmt.Sprintf("f%d", i))
			file.CreatedAt = birth.Add(time.Duration(i/2) * time.Second) // some at the same time
			s.addFiles(t, file)
			want = append(want, file.ID)
		}
		for _, sort := range []app.Sort{app.OldestFirst, app.NewestFirst} {
			var got []string
			var after *page.Key
			for {
				items, total, err := s.ListFiles(t.Context(), alice, "p1", app.Listing{Sort: sort, Limit: 2, After: after})
				if err != nil || total != 7 {
					t.Fatalf("%d files, %v", total, err)
				}
				if len(items) == 0 {
					break
				}
				for _, file := range items {
					got = append(got, file.ID)
				}
				last := items[len(items)-1]
				after = new(page.At(last.CreatedAt, last.ID))
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s: got %v, want %v", sort, got, want)
			}
			slices.Reverse(want)
		}
		items, _, err := s.ListFiles(t.Context(), alice, "p1", app.Listing{Sort: app.OldestFirst, Skip: 5, Limit: 10})
		if err != nil || len(items) != 2 || items[0].ID != "f5" {
			t.Errorf("behind five there are %v, %v", items, err)
		}
	})
}

// Of two who change one version of a file one does.
func TestAStaleFileIsNotWritten(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		s.add(t, plain(alice, "p1"))
		s.addFiles(t, pending(alice, "p1", "f1"))
		accepted := ready(alice, "p1", "f1")
		storetest.Commit(t, s.db, func(ctx context.Context) error { return s.SaveFile(ctx, accepted) })
		for name, write := range map[string]func(ctx context.Context) error{
			"accepted again":    func(ctx context.Context) error { return s.SaveFile(ctx, accepted) },
			"deleted as it was": func(ctx context.Context) error { return s.DeleteFile(ctx, pending(alice, "p1", "f1")) },
			"another's":         func(ctx context.Context) error { return s.DeleteFile(ctx, ready(bob, "p1", "f1")) },
		} {
			if err := s.db.WithinTx(t.Context(), write); !errs.Is(err, errs.Precondition) {
				t.Errorf("%s: got %v", name, err)
			}
		}
		if got, err := s.FindFile(t.Context(), alice, "p1", "f1"); err != nil || got != accepted {
			t.Errorf("got %+v, %v, want %+v", got, err, accepted)
		}
		storetest.Commit(t, s.db, func(ctx context.Context) error { return s.DeleteFile(ctx, accepted) })
		if _, err := s.FindFile(t.Context(), alice, "p1", "f1"); !errs.Is(err, errs.NotFound) {
			t.Errorf("deleted: got %v", err)
		}
	})
}

// Whatever ends files says where their bytes are, and touches nobody else's.
func TestWhatEndsFilesSaysWhereTheyAre(t *testing.T) {
	for name, test := range map[string]struct {
		end     func(ctx context.Context, s suite) ([]string, error)
		left    []string // files
		objects []string
	}{
		"erasing": {
			func(ctx context.Context, s suite) ([]string, error) {
				dropped, objects, err := s.DropFilesOf(ctx, alice)
				if dropped != 4 {
					t.Errorf("%d files are dropped", dropped)
				}
				return objects, err
			},
			[]string{"f5"}, []string{"projects/f1", "projects/f3"},
		},
		"purging": {
			func(ctx context.Context, s suite) ([]string, error) {
				return s.DropFilesOfDeleted(ctx, later.Add(time.Hour), 10)
			},
			[]string{"f1", "f2", "f5"}, []string{"projects/f3"},
		},
		"purging before": {
			func(ctx context.Context, s suite) ([]string, error) { return s.DropFilesOfDeleted(ctx, later, 10) },
			[]string{"f1", "f2", "f3", "f4", "f5"}, nil,
		},
		"dropping what expired": {
			func(ctx context.Context, s suite) ([]string, error) {
				_, err := s.DropExpired(ctx, later.Add(time.Second), 10)
				return nil, err
			},
			[]string{"f1", "f3", "f5"}, nil,
		},
		"dropping what expired before": {
			func(ctx context.Context, s suite) ([]string, error) {
				_, err := s.DropExpired(ctx, later, 10)
				return nil, err
			},
			[]string{"f1", "f2", "f3", "f4", "f5"}, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachStore(t, func(t *testing.T, s suite) {
				s.add(t, plain(alice, "p1"), plain(alice, "p2"), plain(bob, "p3"))
				s.addFiles(t, ready(alice, "p1", "f1"), pending(alice, "p1", "f2"), ready(alice, "p2", "f3"), pending(alice, "p2", "f4"), ready(bob, "p3", "f5"))
				storetest.Commit(t, s.db, func(ctx context.Context) error { return s.deleteAt(ctx, alice, "p2") })
				var objects []string
				storetest.Commit(t, s.db, func(ctx context.Context) (err error) {
					objects, err = test.end(ctx, s)
					slices.Sort(objects)
					return err
				})
				if left := s.left(t); !slices.Equal(left, test.left) || !slices.Equal(objects, test.objects) {
					t.Errorf("left are %v, want %v; objects are %v, want %v", left, test.left, objects, test.objects)
				}
			})
		})
	}
}

// The files that are dropped are those of the projects that are purged, however many there are.
func TestFilesArePurgedWithTheirProjects(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		for i := range 9 {
			project := plain(alice, fmt.Sprintf("p%d", i))
			s.add(t, project)
			s.addFiles(t, ready(alice, project.ID, fmt.Sprintf("f%d", i)))
			storetest.Commit(t, s.db, func(ctx context.Context) error { return s.deleteAt(ctx, alice, project.ID) })
		}
		for range 3 {
			storetest.Commit(t, s.db, func(ctx context.Context) error {
				_, err := s.DropFilesOfDeleted(ctx, later.Add(time.Hour), 3)
				if err == nil {
					_, err = s.Purge(ctx, later.Add(time.Hour), 3)
				}
				return err
			})
			orphans, err := database.All(s.db.Read(t.Context()).Raw(
				"SELECT id FROM projects_files WHERE project_id NOT IN (SELECT id FROM projects)"), database.Scalar[string])
			if err != nil || len(orphans) > 0 {
				t.Fatalf("without their projects are %v, %v", orphans, err)
			}
		}
		if left := s.left(t); len(left) > 0 {
			t.Errorf("left are %v", left)
		}
	})
}
