package app_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/omnistack/omnistack/modules/users/internal/app"
	"github.com/omnistack/omnistack/modules/users/internal/domain"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/database/txtest"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/errs/errstest"
	"github.com/omnistack/omnistack/platform/events/eventstest"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/keyring"
	"github.com/omnistack/omnistack/platform/page"
)

var (
	birth = time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	now   = birth.Add(time.Hour)
	sam   = domain.Identity{Issuer: "issuer", Subject: "sam"}
)

// fakeStore is an app.Store in memory. It says what it was told to do, and fails where told to.
type fakeStore struct {
	txtest.Recorder
	users      map[string]domain.User
	identities map[domain.Identity]string
	told       map[domain.Identity]time.Time
	logins     []string // when and by which session users signed in
	beforeTx   func()   // what others do between a first look and the transaction; may be nil
	listing    app.Listing
	old        []string // whose tombstones are rows

	keys       map[string]domain.APIKey // by id
	keyListing app.KeyListing
	ended      int64     // how many are to be purged
	purged     time.Time // what was purged ended before
}

var _ app.Store = (*fakeStore)(nil)

func (f *fakeStore) FindByIdentity(ctx context.Context, identity domain.Identity) (domain.User, error) {
	if err := f.Call(ctx, "identify"); err != nil {
		return domain.User{}, err
	}
	userID, known := f.identities[identity]
	if f.beforeTx != nil {
		f.beforeTx()
		f.beforeTx = nil
	}
	if !known || userID == "" {
		return domain.User{}, errs.Missing("User", identity.Subject)
	}
	return f.users[userID], nil
}

func (f *fakeStore) Find(ctx context.Context, userID string) (domain.User, error) {
	return f.find(userID, f.Call(ctx, "find"))
}

func (f *fakeStore) Lock(ctx context.Context, userID string) (domain.User, error) {
	return f.find(userID, f.Call(ctx, "lock"))
}

func (f *fakeStore) find(userID string, err error) (domain.User, error) {
	user, known := f.users[userID]
	if err == nil && (!known || user.Deleted) {
		err = errs.Missing("User", userID)
	}
	if err != nil {
		return domain.User{}, err
	}
	return user, nil
}

func (f *fakeStore) ClaimIdentity(ctx context.Context, identity domain.Identity) (bool, error) {
	if _, taken := f.identities[identity]; taken {
		return false, f.Call(ctx, "claim")
	}
	f.identities[identity] = ""
	return true, f.Call(ctx, "claim")
}

func (f *fakeStore) Insert(ctx context.Context, user domain.User) (bool, error) {
	if _, taken := f.users[user.ID]; taken {
		return false, f.Call(ctx, "insert")
	}
	f.users[user.ID] = user
	return true, f.Call(ctx, "insert")
}

func (f *fakeStore) Link(ctx context.Context, identity domain.Identity, userID string) error {
	f.identities[identity] = userID
	return f.Call(ctx, "link")
}

func (f *fakeStore) Bury(ctx context.Context, identity domain.Identity, at time.Time) error {
	if at != now {
		return errors.New("not the clock's time")
	}
	f.users["buried"] = domain.User{Deleted: true}
	f.identities[identity] = "buried"
	return f.Call(ctx, "bury")
}

func (f *fakeStore) OldTombstones(ctx context.Context, limit int) ([]string, error) {
	return f.old[:min(limit, len(f.old))], f.Call(ctx, "old")
}

func (f *fakeStore) Unlink(ctx context.Context, identity domain.Identity) error {
	delete(f.identities, identity)
	return f.Call(ctx, "unlink")
}

func (f *fakeStore) Identities(ctx context.Context, userID string) ([]domain.LinkedIdentity, error) {
	var all []domain.LinkedIdentity
	for identity, owner := range f.identities {
		if owner == userID {
			all = append(all, domain.LinkedIdentity{Identity: identity, LinkedAt: birth})
		}
	}
	slices.SortFunc(all, func(a, b domain.LinkedIdentity) int { return strings.Compare(a.Subject, b.Subject) })
	return all, f.Call(ctx, "identities")
}

func (f *fakeStore) MarkTold(ctx context.Context, identity domain.Identity, userID string, at time.Time) (bool, error) {
	newer := f.identities[identity] == userID && at.After(f.told[identity])
	if newer {
		f.told[identity] = at
	}
	return newer, f.Call(ctx, "mark")
}

func (f *fakeStore) NoteLogin(ctx context.Context, userID string, at time.Time, session string) error {
	f.logins = append(f.logins, userID+" "+at.Format(time.RFC3339)+" "+session)
	return f.Call(ctx, "note")
}

func (f *fakeStore) NoteTokenRole(ctx context.Context, userID string, role domain.Role) error {
	user := f.users[userID]
	user.TokenRole = role
	f.users[userID] = user
	return f.Call(ctx, "note")
}

func (f *fakeStore) LockWithSuperadmins(ctx context.Context, userID string) (domain.User, []string, error) {
	user, err := f.find(userID, f.Call(ctx, "hold"))
	return user, f.idsOf(domain.RoleSuperadmin), err
}

func (f *fakeStore) Closed(ctx context.Context, at time.Time, _ int) ([]string, error) {
	var due []string
	for userID, user := range f.users {
		if user.EraseAt != nil && !user.EraseAt.After(at) {
			due = append(due, userID)
		}
	}
	slices.Sort(due)
	return due, f.Call(ctx, "closed")
}

func (f *fakeStore) Administrators(ctx context.Context) ([]domain.User, error) {
	var found []domain.User
	for _, userID := range f.idsOf(domain.RoleAdmin, domain.RoleSuperadmin) {
		found = append(found, f.users[userID])
	}
	return found, f.Call(ctx, "administrators")
}

// idsOf returns the ids of those who may act and have one of the roles, in order.
func (f *fakeStore) idsOf(roles ...domain.Role) []string {
	var ids []string
	for userID, user := range f.users {
		if slices.Contains(roles, user.Role) && user.MayAct() == nil {
			ids = append(ids, userID)
		}
	}
	slices.Sort(ids)
	return ids
}

func (f *fakeStore) List(ctx context.Context, listing app.Listing) ([]domain.User, int64, error) {
	f.listing = listing
	var all []domain.User
	for _, userID := range slices.Sorted(maps.Keys(f.users)) {
		all = append(all, f.users[userID])
	}
	return all[:min(len(all), listing.Limit)], int64(len(all)), f.Call(ctx, "list")
}

func (f *fakeStore) Tally(ctx context.Context, from, to time.Time) (app.Tally, error) {
	return app.Tally{New: int64(to.Sub(from).Hours()), All: 7}, f.Call(ctx, "tally")
}

func (f *fakeStore) Save(ctx context.Context, user domain.User) error {
	f.users[user.ID] = user
	return f.Call(ctx, "save")
}

func (f *fakeStore) SaveSubscription(ctx context.Context, userID string, said domain.Subscription, at time.Time) error {
	if at != now {
		return errors.New("not the clock's time")
	}
	user := f.users[userID]
	user.SubscriptionPlan = &said.Plan
	f.users[userID] = user
	return f.Call(ctx, "save subscription")
}

func (f *fakeStore) Erase(ctx context.Context, user id.Scope, at time.Time) (map[string]int64, error) {
	if at != now {
		return nil, errors.New("not the clock's time")
	}
	if erased, known := f.users[user.User]; known {
		f.users[user.User] = domain.User{ID: erased.ID, Role: domain.RoleUser, Version: erased.Version + 1, Deleted: true}
	}
	f.old = slices.DeleteFunc(f.old, func(userID string) bool { return userID == user.User })
	return map[string]int64{"users": 1}, f.Call(ctx, "erase")
}

func (f *fakeStore) InsertAPIKey(ctx context.Context, key domain.APIKey) error {
	f.keys[key.ID] = key
	return f.Call(ctx, "insert key")
}

func (f *fakeStore) CountAPIKeys(ctx context.Context, owner id.Scope, at time.Time) (int, error) {
	good := 0
	for _, key := range f.keys {
		if key.Owner == owner && key.Good(at) {
			good++
		}
	}
	return good, f.Call(ctx, "count keys")
}

func (f *fakeStore) ListAPIKeys(ctx context.Context, owner id.Scope, listing app.KeyListing) ([]domain.APIKey, int64, error) {
	f.keyListing = listing
	var mine []domain.APIKey
	for _, keyID := range slices.Sorted(maps.Keys(f.keys)) {
		if key := f.keys[keyID]; key.Owner == owner {
			mine = append(mine, key)
		}
	}
	return mine[:min(len(mine), listing.Limit)], int64(len(mine)), f.Call(ctx, "list keys")
}

func (f *fakeStore) FindAPIKey(ctx context.Context, hash string) (domain.APIKey, domain.User, error) {
	err := f.Call(ctx, "find key")
	for _, key := range f.keys {
		if key.Hash == hash && err == nil {
			return key, f.users[key.Owner.User], nil
		}
	}
	if err == nil {
		err = errs.New(errs.NotFound, "API key not found")
	}
	return domain.APIKey{}, domain.User{}, err
}

func (f *fakeStore) RevokeAPIKey(ctx context.Context, owner id.Scope, keyID string, at time.Time) error {
	key, known := f.keys[keyID]
	if !known || key.Owner != owner || key.RevokedAt != nil {
		return errors.Join(f.Call(ctx, "revoke key"), errs.Missing("API key", keyID))
	}
	key.RevokedAt = &at
	f.keys[keyID] = key
	return f.Call(ctx, "revoke key")
}

func (f *fakeStore) NoteAPIKeyUse(ctx context.Context, keyID string, at, since time.Time) error {
	if key := f.keys[keyID]; key.LastUsedAt == nil || !key.LastUsedAt.After(since) {
		key.LastUsedAt = &at
		f.keys[keyID] = key
	}
	return f.Call(ctx, "note key")
}

func (f *fakeStore) PurgeAPIKeys(ctx context.Context, _ id.Scope, before time.Time) error {
	f.purged = before
	return f.Call(ctx, "purge keys")
}

func (f *fakeStore) PurgeEndedKeys(ctx context.Context, before time.Time, limit int) (int64, error) {
	f.purged = before
	gone := min(f.ended, int64(limit))
	f.ended -= gone
	return gone, f.Call(ctx, "purge ended")
}

// fakePrincipals is an app.Principals that says whom it was told to forget.
type fakePrincipals struct{ forgotten []string }

func (f *fakePrincipals) Forget(userID string) { f.forgotten = append(f.forgotten, userID) }

// fakeWebhooks is an app.Webhooks in memory, of which the store keeps the record.
type fakeWebhooks struct {
	*fakeStore
	kept map[string]app.Webhook
}

func (f *fakeWebhooks) AddWebhook(ctx context.Context, webhook app.Webhook) (bool, error) {
	for _, known := range f.kept {
		if known.Provider == webhook.Provider && known.Post.ID == webhook.Post.ID {
			return false, f.Call(ctx, "add")
		}
	}
	f.kept[webhook.ID] = webhook
	return true, f.Call(ctx, "add")
}

func (f *fakeWebhooks) FindWebhook(ctx context.Context, webhookID string) (app.Webhook, error) {
	webhook, known := f.kept[webhookID]
	if err := f.Call(ctx, "look"); err != nil {
		return app.Webhook{}, err
	}
	if !known {
		return app.Webhook{}, errs.Missing("Webhook", webhookID)
	}
	return webhook, nil
}

func (f *fakeWebhooks) CloseWebhook(ctx context.Context, webhookID string, at time.Time) (bool, error) {
	if at != now {
		return false, errors.New("not the clock's time")
	}
	webhook := f.kept[webhookID]
	open := webhook.Sealed != nil
	webhook.Sealed = nil
	f.kept[webhookID] = webhook
	return open, f.Call(ctx, "close")
}

func (f *fakeWebhooks) PurgeWebhooks(ctx context.Context, before time.Time, limit int) (int64, error) {
	all := len(f.kept)
	maps.DeleteFunc(f.kept, func(_ string, w app.Webhook) bool {
		limit--
		return limit >= 0 && w.ReceivedAt.Before(before)
	})
	return int64(all - len(f.kept)), f.Call(ctx, "purge")
}

// fakeReceipts is an app.Receipts that says what it was given.
type fakeReceipts struct {
	*txtest.Recorder
	of []string
}

func (f *fakeReceipts) Record(ctx context.Context, module string, user id.Scope, erased map[string]int64) error {
	f.of = append(f.of, fmt.Sprint(module, " ", user.User, " ", erased))
	return f.Call(ctx, "receipt")
}

// fakeQueue is an app.Queue that says what it was given.
type fakeQueue struct {
	*txtest.Recorder
	processing, fetching []string
}

func (f *fakeQueue) ProcessWebhook(ctx context.Context, webhookID string) error {
	f.processing = append(f.processing, webhookID)
	return f.Call(ctx, "enqueue")
}

func (f *fakeQueue) FetchProfile(ctx context.Context, userID string) error {
	f.fetching = append(f.fetching, userID)
	return f.Call(ctx, "enqueue")
}

// fakeProvider is an app.Provider whose posts are ids of notices, and which can be asked.
type fakeProvider struct{ says map[string]app.Notice }

func (f fakeProvider) Verify(header func(string) string, body []byte) (app.Post, error) {
	if header("signature") != "right" {
		return app.Post{}, errs.New(errs.Malformed, "The signature is wrong")
	}
	return app.Post{ID: "post " + string(body), Type: "user.updated"}, nil
}

func (f fakeProvider) Read(body []byte) (app.Notice, error) {
	notice, known := f.says[string(body)]
	if !known {
		return app.Notice{}, errs.New(errs.Invalid, "It can't be read")
	}
	return notice, nil
}

func (f fakeProvider) Fetch(ctx context.Context, subject string) (app.Notice, error) {
	if txtest.Inside(ctx) {
		return app.Notice{}, errors.New("it left the process inside of a transaction")
	}
	switch subject {
	case "unreachable":
		return app.Notice{}, errstest.ErrBoom
	case "unknown":
		return app.Notice{}, errs.Missing("User", subject)
	}
	return f.says[subject], nil
}

// fixture is the use cases over fakes.
type fixture struct {
	*app.App
	store      *fakeStore
	webhooks   *fakeWebhooks
	queue      *fakeQueue
	receipts   *fakeReceipts
	provider   fakeProvider
	tx         *txtest.Transactor
	events     *eventstest.Recorder
	principals *fakePrincipals
	cursors    page.Cursors
}

// newFixture returns the use cases over a store of these users, each of whom signs in with the subject of the same name,
// where the method called failing fails; "publish" is the events'.
func newFixture(failing string, users ...domain.User) fixture { return newGrace(0, failing, users...) }

// newGrace is newFixture where an account that is deleted is erased so much later.
func newGrace(grace time.Duration, failing string, users ...domain.User) fixture {
	store := &fakeStore{
		users: map[string]domain.User{}, identities: map[domain.Identity]string{}, told: map[domain.Identity]time.Time{},
		keys: map[string]domain.APIKey{}, Recorder: txtest.Recorder{Failing: failing},
	}
	for _, user := range users {
		store.users[user.ID] = user
		store.identities[domain.Identity{Issuer: "issuer", Subject: user.ID}] = user.ID
	}
	keys := keyring.New(strings.Repeat("k", 32), "")
	tx, principals, cursors := &txtest.Transactor{}, &fakePrincipals{}, page.NewCursors(keys)
	webhooks, queue := &fakeWebhooks{store, map[string]app.Webhook{}}, &fakeQueue{Recorder: &store.Recorder}
	receipts := &fakeReceipts{Recorder: &store.Recorder}
	provider := fakeProvider{map[string]app.Notice{}}
	var refused error
	if failing == "publish" {
		refused = errstest.ErrBoom
	}
	events := eventstest.New(tx, refused)
	settings := []string{"ADA@example.com", "grace@example.com", "Grace@Example.com"}
	made := app.New(app.Ports{
		Store: store, Webhooks: webhooks, Tx: tx, Events: events, Principals: principals, Queue: queue, Sealer: keys.Sealer("test"),
		Receipts: receipts, Cursors: cursors, Clock: clock.NewManual(now),
		Providers: map[string]app.Provider{"provider": provider}, Profiles: map[string]app.ProfileSource{"issuer": provider},
	}, settings, grace)
	return fixture{made, store, webhooks, queue, receipts, provider, tx, events, principals, cursors}
}

func person(userID string) domain.User {
	return domain.User{
		ID: userID, Email: new(userID + "@example.com"), FullName: new("Sam"), Role: domain.RoleUser, Active: true,
		LastLoginAt: &birth, Version: 3, CreatedAt: birth, UpdatedAt: birth,
	}
}
