package app_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/omnistack/omnistack/modules/notifications/internal/app"
	"github.com/omnistack/omnistack/modules/notifications/internal/domain"
	"github.com/omnistack/omnistack/modules/projects"
	"github.com/omnistack/omnistack/modules/users"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/database/txtest"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/errs/errstest"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/keyring"
	"github.com/omnistack/omnistack/platform/page"
)

var (
	alice = id.Of("alice")
	bob   = id.Of("bob")
	now   = time.Date(2026, 1, 2, 9, 0, 0, 6000, time.UTC)
)

// world is everything that the use cases drive, in memory. It fails the test when something outside is asked within a
// transaction.
type world struct {
	txtest.Recorder

	t             *testing.T
	clock         *clock.Manual
	notifications map[string]domain.Notification // by key
	letters       map[string]domain.Letter       // by key
	preferences   map[id.Scope]domain.Preferences
	suppressed    map[string]string
	contacts      map[string][]byte // sealed
	queue         []string
	people        map[string]users.User
	admins        []users.User
	projects      map[string]projects.Project
	sections      []domain.ReportSection
	period        [2]time.Time
	sent          []domain.Mail
	answer        func(mail domain.Mail) error // the carrier's; nil takes everything
	remembers     time.Duration                // for how long the carrier knows a key
	unwritable    bool                         // no text can be made
	old           map[string]int64             // what waits for each purge
}

func (w *world) outside(ctx context.Context, what string) {
	w.t.Helper()
	if txtest.Inside(ctx) {
		w.t.Errorf("%s within a transaction", what)
	}
}

func (w *world) AddNotification(ctx context.Context, n domain.Notification, key string) error {
	if err := w.Call(ctx, "add notification"); err != nil {
		return err
	}
	if _, there := w.notifications[key]; !there {
		w.notifications[key] = n
	}
	return nil
}

func (w *world) LockNotification(_ context.Context, owner id.Scope, notificationID string) (domain.Notification, error) {
	for _, n := range w.notifications {
		if n.ID == notificationID && n.Owner == owner {
			return n, nil
		}
	}
	return domain.Notification{}, errs.Missing("Notification", notificationID)
}

func (w *world) MarkRead(ctx context.Context, _ id.Scope, notificationID string, at time.Time) error {
	for key, n := range w.notifications {
		if n.ID == notificationID {
			n.ReadAt = &at
			w.notifications[key] = n
		}
	}
	return w.Call(ctx, "mark read")
}

func (w *world) ListNotifications(_ context.Context, owner id.Scope, listing app.Listing) ([]domain.Notification, int64, error) {
	var all []domain.Notification
	for _, n := range w.notifications {
		if n.Owner == owner && (!listing.Unread || n.ReadAt == nil) {
			all = append(all, n)
		}
	}
	slices.SortFunc(all, func(a, b domain.Notification) int { return strings.Compare(b.ID, a.ID) })
	total := int64(len(all))
	if listing.After != nil {
		all = slices.DeleteFunc(all, func(n domain.Notification) bool { return n.ID >= listing.After.ID })
	}
	return all[:min(len(all), listing.Limit)], total, nil
}

func (w *world) Preferences(_ context.Context, owner id.Scope) (domain.Preferences, error) {
	if found, there := w.preferences[owner]; there {
		return found, nil
	}
	return domain.Preferences{Owner: owner, Version: 1}, nil
}

func (w *world) CountLetters(_ context.Context, user id.Scope, kind string, since time.Time) (int64, error) {
	var count int64
	for _, l := range w.letters {
		if l.User == user.User && l.Kind == kind && l.CreatedAt.After(since) {
			count++
		}
	}
	return count, nil
}

func (w *world) LockPreferences(ctx context.Context, owner id.Scope) (domain.Preferences, error) {
	return w.Preferences(ctx, owner)
}

func (w *world) SavePreferences(ctx context.Context, p domain.Preferences) error {
	w.preferences[p.Owner] = p
	return w.Call(ctx, "save preferences")
}

func (w *world) AddLetter(ctx context.Context, l domain.Letter) (bool, error) {
	if err := w.Call(ctx, "add letter"); err != nil {
		return false, err
	}
	if _, there := w.letters[l.Key]; there {
		return false, nil
	}
	w.letters[l.Key] = l
	return true, nil
}

func (w *world) LockLetter(_ context.Context, letterID string) (domain.Letter, error) {
	for _, l := range w.letters {
		if l.ID == letterID {
			return l, nil
		}
	}
	return domain.Letter{}, errs.Missing("Mail", letterID)
}

func (w *world) SaveLetter(ctx context.Context, l domain.Letter) error {
	if err := w.Call(ctx, "save letter as "+string(l.State)); err != nil {
		return err
	}
	w.letters[l.Key] = l
	return nil
}

func (w *world) Suppress(ctx context.Context, suppressions []domain.Suppression) error {
	inOrder := func(a, b domain.Suppression) int { return strings.Compare(a.Hash, b.Hash) }
	if !slices.IsSortedFunc(suppressions, inOrder) {
		w.t.Error("addresses are suppressed in no order")
	}
	for _, one := range suppressions {
		if _, there := w.suppressed[one.Hash]; !there {
			w.suppressed[one.Hash] = one.Reason
		}
	}
	return w.Call(ctx, "suppress")
}

func (w *world) Suppressed(_ context.Context, hashes []string) ([]string, error) {
	var found []string
	for _, hash := range hashes {
		if _, there := w.suppressed[hash]; there {
			found = append(found, hash)
		}
	}
	return found, nil
}

func (w *world) AddContact(ctx context.Context, messageID string, sealed []byte, _ time.Time) error {
	w.contacts[messageID] = sealed
	return w.Call(ctx, "add contact")
}

func (w *world) Contact(_ context.Context, messageID string) ([]byte, error) {
	if found, there := w.contacts[messageID]; there {
		return found, nil
	}
	return nil, errs.Missing("Message", messageID)
}

func (w *world) Erase(ctx context.Context, user id.Scope) (map[string]int64, error) {
	for key, l := range w.letters {
		if l.User == user.User {
			delete(w.letters, key)
		}
	}
	for key, n := range w.notifications {
		if n.Owner == user {
			delete(w.notifications, key)
		}
	}
	delete(w.preferences, user)
	return map[string]int64{"notifications": 1}, w.Call(ctx, "erase")
}

func (w *world) purge(ctx context.Context, what string, before, want time.Time, limit int) (int64, error) {
	if before != want {
		return 0, fmt.Errorf("%s before %s, want %s", what, before, want)
	}
	purged := min(w.old[what], int64(limit))
	w.old[what] -= purged
	return purged, w.Call(ctx, what)
}

func (w *world) ExpireLetters(ctx context.Context, at time.Time, limit int) (int64, error) {
	return w.purge(ctx, "expire", at, now, limit)
}

func (w *world) AbandonLetters(ctx context.Context, before, at time.Time, limit int) (int64, error) {
	if at != now {
		return 0, fmt.Errorf("abandoned at %s", at)
	}
	return w.purge(ctx, "abandon", before, now.AddDate(0, 0, -3), limit)
}

func (w *world) PurgeLetters(ctx context.Context, before time.Time, limit int) (int64, error) {
	return w.purge(ctx, "letters", before, now.AddDate(0, 0, -30), limit)
}

func (w *world) PurgeContacts(ctx context.Context, before time.Time, limit int) (int64, error) {
	return w.purge(ctx, "contacts", before, now.AddDate(0, 0, -90), limit)
}

func (w *world) PurgeNotifications(ctx context.Context, before time.Time, limit int) (int64, error) {
	return w.purge(ctx, "notifications", before, now.AddDate(0, 0, -180), limit)
}

func (w *world) SendMail(ctx context.Context, letterID string) error {
	if !txtest.Inside(ctx) {
		w.t.Error("a job is enqueued outside of a transaction")
	}
	w.queue = append(w.queue, letterID)
	return w.Call(ctx, "enqueue")
}

func (w *world) Find(ctx context.Context, userID string) (users.User, error) {
	w.outside(ctx, "the directory is asked")
	if err := w.Call(ctx, "find user"); err != nil {
		return users.User{}, err
	}
	if found, there := w.people[userID]; there {
		return found, nil
	}
	return users.User{}, errs.Missing("User", userID)
}

func (w *world) Administrators(ctx context.Context) ([]users.User, error) {
	w.outside(ctx, "the directory is asked")
	return w.admins, w.Call(ctx, "administrators")
}

func (w *world) Sections(ctx context.Context, from, to time.Time) ([]domain.ReportSection, error) {
	w.outside(ctx, "the modules are asked")
	w.period = [2]time.Time{from, to}
	return w.sections, w.Call(ctx, "sections")
}

func (w *world) Render(content domain.Content, frame domain.Frame) (subject, html, text string, err error) {
	if w.unwritable {
		return "", "", "", errstest.ErrBoom
	}
	said := fmt.Sprintf("%s %+v", content.Template(), content)
	return "about " + content.Template(), "<p>" + said + frame.Unsubscribe, said, nil
}

// catalog is the projects of the world.
type catalog struct {
	projects.Catalog // nothing else of which is asked
	*world
}

func (c catalog) Find(ctx context.Context, owner id.Scope, projectID string) (projects.Project, error) {
	c.outside(ctx, "the catalog is asked")
	if err := c.Call(ctx, "find project"); err != nil {
		return projects.Project{}, err
	}
	if found, there := c.projects[owner.User+"/"+projectID]; there {
		return found, nil
	}
	return projects.Project{}, errs.Missing("Project", projectID)
}

// carrier is the way out of the world.
type carrier struct{ *world }

func (c carrier) Send(ctx context.Context, mail domain.Mail) (string, error) {
	c.outside(ctx, "a mail is sent")
	c.sent = append(c.sent, mail)
	if c.answer != nil {
		if err := c.answer(mail); err != nil {
			return "", err
		}
	}
	return "receipt of " + mail.Key, nil
}

func (c carrier) Remembers() time.Duration { return c.remembers }

// fixture is the use cases over the world.
type fixture struct {
	*app.App
	*world
	tx *txtest.Transactor
}

func newFixture(t *testing.T) fixture {
	w := &world{
		t: t, clock: clock.NewManual(now),
		notifications: map[string]domain.Notification{}, letters: map[string]domain.Letter{}, preferences: map[id.Scope]domain.Preferences{},
		suppressed: map[string]string{}, contacts: map[string][]byte{}, old: map[string]int64{},
		people: map[string]users.User{
			"alice": {ID: "alice", Email: "alice@example.com", FullName: "Alice", Active: true},
			"bob":   {ID: "bob", Active: true}, // without an address
		},
		projects: map[string]projects.Project{"alice/apollo": {ID: "apollo", Name: "Apollo", Deleted: true}},
	}
	keys := keyring.New(strings.Repeat("k", 32), "")
	tx := &txtest.Transactor{}
	return fixture{app.New(app.Ports{
		Store: w, Tx: tx, Queue: w, Directory: w, Catalog: catalog{world: w}, Reports: w, Mailer: carrier{w}, Renderer: w,
		Sealer: keys.Sealer("mail"), Signer: keys.Signer("unsubscribe"), Cursors: page.NewCursors(keys), Clock: w.clock,
	}, app.Identity{
		Product: "Product", Home: "https://app.example.com", Unsubscribe: "https://api.example.com/u/",
		From: domain.Address{Email: "hello@example.com", Name: "Product"}, Contact: domain.Address{Email: "team@example.com"},
	}), w, tx}
}

// only returns the one letter there is.
func (f fixture) only() domain.Letter {
	f.t.Helper()
	if len(f.letters) != 1 {
		f.t.Fatalf("there are %d letters, want one", len(f.letters))
	}
	for _, letter := range f.letters {
		return letter
	}
	return domain.Letter{}
}

// deliver works every job that waits, once.
func (f fixture) deliver() {
	f.t.Helper()
	waiting := f.queue
	f.queue = nil
	for _, letterID := range waiting {
		if err := f.App.SendMail(f.t.Context(), letterID); err != nil {
			f.t.Errorf("sending: %v", err)
		}
	}
}
