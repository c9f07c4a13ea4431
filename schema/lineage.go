package schema

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"

	"ariga.io/atlas/sql/migrate"
	"ariga.io/atlas/sql/postgres"
	"ariga.io/atlas/sql/sqlite"

	"github.com/omnistack/omnistack/platform/database"
)

// lineage is the migrations of one engine, checked and in order.
type lineage struct {
	engine database.Engine
	dir    *migrate.MemDir
	files  []migrate.File
	hashes migrate.HashFile
}

var fileName = regexp.MustCompile(`^\d{14}_[a-z0-9_]+\.sql$`)

// load reads the migrations in folder and refuses them when anything is not as it was when they were written.
func load(engine database.Engine, folder fs.FS) (lineage, error) {
	files, err := read(engine, folder)
	if err != nil {
		return lineage{}, fmt.Errorf("the migrations for %s are not usable: %w", engine, err)
	}
	return files, nil
}

func read(engine database.Engine, folder fs.FS) (lineage, error) {
	dir, err := copyFolder(folder)
	if err != nil {
		return lineage{}, err
	}
	if err := validateSum(dir); err != nil {
		return lineage{}, err
	}
	files, err := dir.Files()
	if err != nil {
		return lineage{}, err
	}
	hashes, err := dir.Checksum()
	if err != nil {
		return lineage{}, err
	}

	previous := ""
	for _, file := range files {
		if !fileName.MatchString(file.Name()) {
			return lineage{}, fmt.Errorf("%s: a migration is called YYYYMMDDHHMMSS_name.sql, in lower case", file.Name())
		}
		if file.Version() == previous {
			return lineage{}, fmt.Errorf("%s: another file has the same version", file.Name())
		}
		previous = file.Version()
		if _, err := hashes.SumByName(file.Name()); err != nil {
			return lineage{}, fmt.Errorf("%s is left out of %s", file.Name(), migrate.HashFileName)
		}
		if err := validateStatements(engine, file); err != nil {
			return lineage{}, err
		}
	}
	return lineage{engine: engine, dir: dir, files: files, hashes: hashes}, nil
}

// copyFolder reads the folder into memory, which is where atlas takes a folder from that isn't on the disk.
func copyFolder(folder fs.FS) (*migrate.MemDir, error) {
	dir := &migrate.MemDir{}
	entries, err := fs.ReadDir(folder, ".")
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		content, err := fs.ReadFile(folder, entry.Name())
		if err != nil {
			return nil, err
		}
		if err := dir.WriteFile(entry.Name(), content); err != nil {
			return nil, err
		}
	}
	return dir, nil
}

// validateSum compares the files with atlas.sum and names the first that differs.
func validateSum(dir migrate.Dir) error {
	err := migrate.Validate(dir)
	var broken *migrate.ChecksumError
	switch {
	case errors.As(err, &broken):
		return fmt.Errorf("%s was %s after %s was written", broken.File, broken.Reason, migrate.HashFileName)
	case errors.Is(err, migrate.ErrChecksumNotFound):
		return fmt.Errorf("%s is missing", migrate.HashFileName)
	case errors.Is(err, migrate.ErrChecksumMismatch), errors.Is(err, migrate.ErrChecksumFormat):
		return fmt.Errorf("%s was edited by hand", migrate.HashFileName)
	}
	return err
}

// transactionControl holds the statements that would end the transaction a file runs in, and with it the promise that
// a file happens as a whole or not at all.
var transactionControl = regexp.MustCompile(`(?i)^(BEGIN|START|COMMIT|END|ROLLBACK|ABORT)\b`)

func validateStatements(engine database.Engine, file migrate.File) error {
	if local, ok := file.(*migrate.LocalFile); ok && len(local.Directive("txmode")) > 0 {
		return fmt.Errorf("%s: atlas:txmode isn't supported, every file is one transaction", file.Name())
	}
	statements, err := scanner(engine).ScanStmts(string(file.Bytes()))
	if err != nil {
		return fmt.Errorf("%s can't be read: %w", file.Name(), err)
	}
	for i, statement := range statements {
		if transactionControl.MatchString(statement.Text) {
			return fmt.Errorf("%s: statement %d controls the transaction, every file is one of its own", file.Name(), i+1)
		}
	}
	return nil
}

func scanner(engine database.Engine) migrate.StmtScanner {
	if engine == database.Postgres {
		return &postgres.Driver{}
	}
	return &sqlite.Driver{}
}

// pending returns the files to apply to a database with this ledger, or why nothing may be applied to it.
func (l lineage) pending(revisions ledger) ([]migrate.File, error) {
	if err := l.checkKnown(revisions); err != nil {
		return nil, err
	}
	var pending []migrate.File
	for _, file := range l.files {
		switch {
		case revisions.find(file.Version()) == nil:
			pending = append(pending, file)
		case len(pending) > 0:
			return nil, fmt.Errorf("%s was added behind %s, which has been applied already: give it a newer version",
				pending[0].Name(), file.Name())
		}
	}
	return pending, l.checkUnchanged(revisions)
}

// checkKnown refuses revisions that have no file here.
func (l lineage) checkKnown(revisions ledger) error {
	for _, revision := range revisions {
		known := slices.ContainsFunc(l.files, func(f migrate.File) bool { return f.Version() == revision.version })
		if !known {
			return fmt.Errorf("the database holds migration %s_%s, which this version of the program doesn't know: "+
				"it was migrated by a newer version, run that one", revision.version, revision.description)
		}
	}
	return nil
}

// checkUnchanged refuses applied files that aren't what was applied, or not all of it. The hash of a file covers those
// before it, so the first that differs is the one that changed.
func (l lineage) checkUnchanged(revisions ledger) error {
	for _, file := range l.files {
		applied := revisions.find(file.Version())
		if applied == nil {
			continue
		}
		if !applied.complete() {
			return fmt.Errorf("%s was applied in part by another tool: finish or undo it by hand", file.Name())
		}
		hash, err := l.hashes.SumByName(file.Name())
		if err != nil {
			return err
		}
		if applied.hash != hash {
			return fmt.Errorf("%s is not the file that was applied to this database: its hash differs", file.Name())
		}
	}
	return nil
}
