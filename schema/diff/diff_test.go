package diff_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/testkit"
	"github.com/omnistack/omnistack/schema/diff"
)

// account and note hold all that a model may say and a migration must keep.
type account struct {
	ID        string     `gorm:"primaryKey;type:text"`
	Email     *string    `gorm:"type:text;uniqueIndex:accounts_email_live,where:deleted_at IS NULL"`
	Name      string     `gorm:"type:text COLLATE \"C\";not null;index:accounts_name,expression:lower(name)"`
	Plan      string     `gorm:"type:text;not null;default:'free';check:accounts_plan,plan IN ('free', 'pro')"`
	Seats     int        `gorm:"not null;default:1;check:accounts_seats,seats > 0 AND seats <= 1000"`
	Active    bool       `gorm:"not null;default:true"`
	Balance   int64      `gorm:"not null;default:0"`
	Avatar    []byte     ``
	Version   int64      `gorm:"not null;index:accounts_order,priority:2,sort:desc"`
	CreatedAt time.Time  `gorm:"precision:6;not null;index:accounts_order,priority:1"`
	DeletedAt *time.Time `gorm:"type:timestamptz"`
}

func (account) TableName() string { return "accounts" }

type note struct {
	AccountID string  `gorm:"primaryKey;type:text"`
	Number    int64   `gorm:"primaryKey;autoIncrement:false"`
	ReplyTo   *string `gorm:"type:text"`
	Text      string  `gorm:"type:text;not null"`
	Account   account `gorm:"foreignKey:AccountID;constraint:OnDelete:CASCADE,OnUpdate:RESTRICT"`
	Original  account `gorm:"foreignKey:ReplyTo;constraint:OnDelete:SET NULL"`
}

func (note) TableName() string { return "accounts_notes" }

// accountLater is account after a change of every sort.
type accountLater struct {
	ID        string     `gorm:"primaryKey;type:text COLLATE \"C\""`
	Email     string     `gorm:"type:text;not null;uniqueIndex:accounts_email_live,where:deleted_at IS NULL AND active"`
	Name      string     `gorm:"type:text;not null;index:accounts_name,expression:upper(name)"`
	Plan      string     `gorm:"type:text;not null;default:'pro';check:accounts_plan,plan IN ('free', 'pro', 'team')"`
	Seats     int        `gorm:"not null;default:1"`
	Active    bool       `gorm:"not null;default:true"`
	Balance   *float64   ``
	Locale    string     `gorm:"type:text COLLATE \"C\";not null;default:'en'"`
	Version   int64      `gorm:"not null;index:accounts_order,priority:2"`
	CreatedAt time.Time  `gorm:"precision:6;not null;index:accounts_order,priority:1;check:accounts_born,created_at > '2020-01-01'"`
	DeletedAt *time.Time `gorm:"type:timestamptz"`
}

func (accountLater) TableName() string { return "accounts" }

type noteLater struct {
	AccountID string       `gorm:"primaryKey;type:text"`
	Number    int64        `gorm:"primaryKey;autoIncrement:false"`
	ReplyTo   *string      `gorm:"type:text"`
	Text      string       `gorm:"type:text;not null"`
	Account   accountLater `gorm:"foreignKey:AccountID;constraint:OnDelete:RESTRICT,OnUpdate:RESTRICT"`
}

func (noteLater) TableName() string { return "accounts_notes" }

func TestWriteKeepsWhatModelsSay(t *testing.T) {
	opts := options(t, &account{}, &note{})

	written, err := diff.Write(t.Context(), opts, "initial")
	if err != nil {
		t.Fatal(err)
	}
	if len(written) != 2 {
		t.Fatalf("want one file for each engine, got %v", written)
	}
	requireText(t, written[0],
		`"name" text NOT NULL COLLATE "C"`,
		`WHERE (deleted_at IS NULL)`,
		`CONSTRAINT "accounts_seats" CHECK ((seats > 0) AND (seats <= 1000))`,
		`ON UPDATE RESTRICT ON DELETE CASCADE`,
		`ON DELETE SET NULL`,
		`"created_at" timestamptz NOT NULL`,
		`(lower(name))`,
	)
	requireText(t, written[1],
		"`name` text NOT NULL",
		"`id` text NOT NULL",
		"WHERE deleted_at IS NULL",
		"CONSTRAINT `accounts_seats` CHECK (seats > 0 AND seats <= 1000)",
		"ON UPDATE RESTRICT ON DELETE CASCADE",
		"ON DELETE SET NULL",
		"`created_at` datetime NOT NULL",
		"(lower(name))",
	)

	if again, err := diff.Write(t.Context(), opts, "again"); err != nil || len(again) != 0 {
		t.Errorf("nothing has changed, but wrote %v (%v)", again, err)
	}
}

// What atlas doesn't compare would be missed without a word, so every sort of change must show.
func TestWriteFollowsEveryChange(t *testing.T) {
	opts := options(t, &account{}, &note{})
	if _, err := diff.Write(t.Context(), opts, "initial"); err != nil {
		t.Fatal(err)
	}

	opts.Models = []any{&accountLater{}, &noteLater{}}
	written, err := diff.Write(t.Context(), opts, "team_plan")
	if err != nil || len(written) != 2 {
		t.Fatalf("wrote %v (%v)", written, err)
	}
	requireText(t, written[0],
		`ALTER COLUMN "id" TYPE text COLLATE "C"`,
		`ALTER COLUMN "name" TYPE text COLLATE "default"`,
		`ALTER COLUMN "email" SET NOT NULL`,
		`WHERE ((deleted_at IS NULL) AND active)`,
		`(upper(name))`,
		`ALTER COLUMN "plan" SET DEFAULT 'pro'`,
		`'team'::text`,
		`DROP CONSTRAINT "accounts_seats"`,
		`ADD CONSTRAINT "accounts_born" CHECK`,
		`ALTER COLUMN "balance" TYPE numeric`,
		`ALTER COLUMN "balance" DROP NOT NULL`,
		`ALTER COLUMN "balance" DROP DEFAULT`,
		`ADD COLUMN "locale" text NOT NULL DEFAULT 'en' COLLATE "C"`,
		`DROP COLUMN "avatar"`,
		`("created_at", "version")`,
		`ON DELETE RESTRICT`,
		`DROP CONSTRAINT "fk_accounts_notes_original"`,
	)
	requireText(t, written[1],
		"`email` text NOT NULL",
		"WHERE deleted_at IS NULL AND active",
		"(upper(name))",
		"DEFAULT 'pro'",
		"'team'",
		"CONSTRAINT `accounts_born` CHECK",
		"`balance` real NULL",
		"`locale` text NOT NULL DEFAULT 'en'",
		"(`created_at`, `version`)",
		"ON DELETE RESTRICT",
	)
	refuseText(t, written[1], "accounts_seats", "avatar", "fk_accounts_notes_original", "PRAGMA")
}

func TestWriteLeavesOtherTablesAlone(t *testing.T) {
	opts := options(t, &account{})
	add(t, opts, database.Postgres, "20260101000000_river.sql", `
CREATE TYPE river_job_state AS ENUM ('available', 'completed');
CREATE TABLE river_job (id bigserial PRIMARY KEY, state river_job_state NOT NULL);
CREATE INDEX river_job_state_index ON river_job (state);`)
	add(t, opts, database.SQLite, "20260101000000_river.sql", `
CREATE TABLE river_job (id integer PRIMARY KEY AUTOINCREMENT, state text NOT NULL);
CREATE INDEX river_job_state_index ON river_job (state);`)
	if err := diff.Hash(opts.Folder); err != nil {
		t.Fatal(err)
	}

	written, err := diff.Write(t.Context(), opts, "accounts")
	if err != nil || len(written) != 2 {
		t.Fatalf("wrote %v (%v)", written, err)
	}
	for _, path := range written {
		refuseText(t, path, "river")
	}
}

func TestWriteRefuses(t *testing.T) {
	opts := options(t, &account{})
	for _, name := range []string{"", "Users", "add users", "../users", "1st"} {
		if _, err := diff.Write(t.Context(), opts, name); err == nil {
			t.Errorf("the name %q was accepted", name)
		}
	}

	add(t, opts, database.SQLite, "20260101000000_changed.sql", "CREATE TABLE x (y text);")
	if _, err := diff.Missing(t.Context(), opts, database.SQLite); err == nil {
		t.Error("a file that isn't in atlas.sum was replayed")
	}
}

func TestWriteVersionsAscend(t *testing.T) {
	opts := options(t, &account{})
	add(t, opts, database.Postgres, "20991231235959_ahead.sql", "SELECT 1;")
	if err := diff.Hash(opts.Folder); err != nil {
		t.Fatal(err)
	}
	written, err := diff.Write(t.Context(), opts, "next")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range written {
		if filepath.Base(path) != "21000101000000_next.sql" {
			t.Errorf("%s is not behind the last file", path)
		}
	}
}

func add(t *testing.T, opts diff.Options, engine database.Engine, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(opts.Folder, string(engine), name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func options(t *testing.T, models ...any) diff.Options {
	t.Helper()
	folder := t.TempDir()
	for _, engine := range diff.Engines() {
		if err := os.Mkdir(filepath.Join(folder, string(engine)), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return diff.Options{
		Models:      models,
		Folder:      folder,
		PostgresURL: testkit.DatabaseOptions(t, database.Postgres).Target,
	}
}

func requireText(t *testing.T, path string, parts ...string) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range parts {
		if !strings.Contains(string(content), part) {
			t.Errorf("%s lacks %q:\n%s", path, part, content)
		}
	}
}

func refuseText(t *testing.T, path string, parts ...string) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range parts {
		if strings.Contains(string(content), part) {
			t.Errorf("%s holds %q:\n%s", path, part, content)
		}
	}
}
