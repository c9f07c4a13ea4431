package diff

import (
	"fmt"
	"path/filepath"
	"time"

	"ariga.io/atlas/sql/migrate"

	"github.com/omnistack/omnistack/platform/database"
)

func openFolder(folder string, engine database.Engine) (*migrate.LocalDir, error) {
	return migrate.NewLocalDir(filepath.Join(folder, string(engine)))
}

// save writes the plan as a file and the sum that goes with it, and returns the file's path.
func save(folder string, engine database.Engine, plan *migrate.Plan) (string, error) {
	dir, err := openFolder(folder, engine)
	if err != nil {
		return "", err
	}
	file, err := migrate.DefaultFormatter.FormatFile(plan)
	if err != nil {
		return "", err
	}
	if err := dir.WriteFile(file.Name(), file.Bytes()); err != nil {
		return "", err
	}
	return filepath.Join(dir.Path(), file.Name()), writeSum(dir)
}

func writeSum(dir migrate.Dir) error {
	sum, err := dir.Checksum()
	if err != nil {
		return err
	}
	return migrate.WriteSumFile(dir, sum)
}

const versionLayout = "20060102150405"

// nextVersion returns the version for a file written now. It is later than every version there is, even one from a
// machine whose clock is ahead.
func nextVersion(folder string, now time.Time) (string, error) {
	next := now.UTC().Truncate(time.Second)
	for _, engine := range Engines() {
		dir, err := openFolder(folder, engine)
		if err != nil {
			return "", err
		}
		files, err := dir.Files()
		if err != nil {
			return "", err
		}
		if len(files) == 0 {
			continue
		}
		last := files[len(files)-1]
		written, err := time.Parse(versionLayout, last.Version())
		if err != nil {
			return "", fmt.Errorf("%s has no proper version: %w", last.Name(), err)
		}
		if !next.After(written) {
			next = written.Add(time.Second)
		}
	}
	return next.Format(versionLayout), nil
}
