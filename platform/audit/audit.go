// Package audit keeps the log of what administrators and operators do: who, what, to whom, when, and how it ended.
//
// Nobody has to remember it. What administrators change is registered by httpserver.Mutation, which records every act in
// the transaction of its effect, so there is neither an effect without its row nor a row without its effect. What was
// refused them (403, 404, 409, 412) has a row too. What operators do by the command line goes through Operate.
//
// The log holds ids, and what a request asked for with secrets and addresses masked, so it stays when a user is deleted.
// Triggers in both databases refuse to change it, and to remove what is not 400 days old, give or take one. What is older goes, by
// a job. One thing they let through: of somebody whose erasure has a receipt that is four weeks old the id becomes the keyed hash
// in that receipt, "erased:" before it. What was done, and that it was one and the same person, is told as before. Whoever may drop tables can still do away with it; a copy elsewhere is the answer to that.
package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/httpserver"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/module"
	"github.com/omnistack/omnistack/platform/page"
	"github.com/omnistack/omnistack/platform/telemetry"
)

// entryRow is the table audit_log. Its ids are UUIDv7, so their order is that of time.
type entryRow struct {
	ID        database.Key `gorm:"primaryKey;index:audit_log_by_actor,priority:2;index:audit_log_by_target,priority:2"`
	Actor     database.Key `gorm:"not null;index:audit_log_by_actor,priority:1"`
	Role      string       `gorm:"type:text;not null"`
	Action    string       `gorm:"type:text;not null"`
	Target    database.Key `gorm:"not null;index:audit_log_by_target,priority:1"`
	Input     string       `gorm:"type:text;not null"` // JSON; null for none
	RequestID string       `gorm:"type:text;not null"`
	Status    int64        `gorm:"not null"`
	CreatedAt time.Time    `gorm:"not null;index:audit_log_by_time"`
}

// TableName returns the name of the table.
func (entryRow) TableName() string { return "audit_log" }

// Models returns the rows of this package, for the schema tooling.
func Models() []any { return []any{&entryRow{}} }

// Describe returns what this package keeps in the database.
func Describe() module.Descriptor {
	return module.Descriptor{
		Name:    "audit",
		Summary: "What administrators and operators did.",
		Models:  Models(),
		Tables:  []module.Table{{Name: "audit_log", Summary: "one row an act, for 400 days; nothing changes it, but that an erased user becomes a hash after 29 days", Pseudonymous: []string{"actor", "target"}}},
	}
}

// Log is the audit log. It is safe for concurrent use.
type Log struct {
	db      *database.DB
	cursors page.Cursors
	clock   clock.Clock
}

var _ httpserver.Auditor = (*Log)(nil)

// New returns the log in a database.
func New(db *database.DB, cursors page.Cursors, clock clock.Clock) *Log {
	return &Log{db, cursors, clock}
}

// Operator is the actor of what is done by the command line. A user may have the same id, but has another role.
const (
	Operator               = "cli"
	RoleOperator auth.Role = "operator"
)

// Operate runs what an operator does and records the act that it returns, in one transaction. Who did it, and that it went
// well, is filled in.
func (l *Log) Operate(ctx context.Context, run func(ctx context.Context) (httpserver.Act, error)) error {
	return l.db.WithinTx(ctx, func(ctx context.Context) error {
		act, err := run(ctx)
		if err != nil {
			return err
		}
		act.Actor, act.Role, act.Status = Operator, RoleOperator, http.StatusOK
		return l.Record(ctx, act)
	})
}

// Record adds an act, in the transaction that ctx carries.
func (l *Log) Record(ctx context.Context, act httpserver.Act) error {
	input, err := redact(act.Input)
	if err != nil {
		return fmt.Errorf("audit: the input of %s is no JSON: %w", act.Action, err)
	}
	return database.Classify(l.db.Tx(ctx).Exec("INSERT INTO audit_log ("+columns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
		id.New(), act.Actor, string(act.Role), act.Action, act.Target, input, act.RequestID, act.Status, l.clock.Now()).Error)
}

// Forget replaces the id of an erased user by the hash in the receipts, in the transaction that ctx carries.
func (l *Log) Forget(ctx context.Context, user id.Scope, person string) error {
	for _, column := range []string{"actor", "target"} {
		forgotten := l.db.Tx(ctx).Exec("UPDATE audit_log SET "+column+" = ? WHERE "+column+" = ?", "erased:"+person, user.User)
		if forgotten.Error != nil {
			return database.Classify(forgotten.Error)
		}
	}
	return nil
}

// redact returns the JSON without what looks like a secret or an address, and without the values of members that are
// called like secrets. Of nothing it returns null.
func redact(input []byte) (string, error) {
	if len(input) == 0 {
		return "null", nil
	}
	decoder := json.NewDecoder(bytes.NewReader(input))
	decoder.UseNumber() // a float64 would round large ones
	var value any
	if err := decoder.Decode(&value); err != nil {
		return "", err
	}
	masked, err := json.Marshal(mask(value))
	return string(masked), err
}

// secretive are what the names of members hold whose values nobody writes down.
var secretive = [...]string{"secret", "password", "token", "key", "credential"}

func mask(value any) any {
	switch value := value.(type) {
	case string:
		return telemetry.Mask(value)
	case []any:
		for i := range value {
			value[i] = mask(value[i])
		}
	case map[string]any:
		for name, member := range value {
			value[name] = mask(member)
			for _, word := range secretive {
				if strings.Contains(strings.ToLower(name), word) {
					value[name] = "****"
				}
			}
		}
	}
	return value
}
