package app

import (
	"context"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/export"
	"github.com/omnistack/omnistack/platform/id"
)

// FileExporter hands out a person's files with their bytes, and the plan that says how many there may be.
type FileExporter struct {
	store   FileExportStore
	objects Objects
}

// NewFileExporter returns an exporter over the store and the bytes.
func NewFileExporter(store FileExportStore, objects Objects) *FileExporter {
	return &FileExporter{store, objects}
}

// FileExportStore reads what is handed out of files.
type FileExportStore interface {
	// ExportFiles returns at most limit of the owner's files, those of deleted projects too, by their ids: those behind one of
	// them, or from the beginning for nil.
	ExportFiles(ctx context.Context, owner id.Scope, after *ExportedFile, limit int) ([]ExportedFile, error)

	// ExportPlan returns which plan the owner is on, nil for none that was heard of.
	ExportPlan(ctx context.Context, owner id.Scope) (*string, error)
}

// ExportedFile is a file as it is handed out. Of one that is pending there are no bytes.
type ExportedFile struct {
	ID          string    `json:"id"`
	ProjectID   string    `json:"project_id"`
	Filename    string    `json:"filename"`
	ContentType string    `json:"content_type"`
	Size        int64     `json:"size"`
	Status      string    `json:"status"`
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at"`

	Object string `json:"-"` // under which key the bytes are kept; "" while it is pending
}

// Export writes the owner's plan, what is known of the files, and each of them. It reads what is kept outside.
func (e *FileExporter) Export(ctx context.Context, owner id.Scope, archive export.Archive) error {
	plan, err := e.store.ExportPlan(ctx, owner)
	if err != nil {
		return err
	}
	if err := export.Value(archive, "plan.json", map[string]*string{"plan": plan}); err != nil {
		return err
	}
	next := func(after *ExportedFile, limit int) ([]ExportedFile, error) {
		return e.store.ExportFiles(ctx, owner, after, limit)
	}
	if err := export.Array(archive, "files.json", next); err != nil {
		return err
	}
	return export.Each(next, func(file ExportedFile) error {
		if file.Object == "" {
			return nil
		}
		return e.write(ctx, file, archive)
	})
}

func (e *FileExporter) write(ctx context.Context, file ExportedFile, archive export.Archive) error {
	body, err := e.objects.Open(ctx, file.Object)
	if errs.Is(err, errs.NotFound) { // the file was deleted meanwhile
		return nil
	}
	if err != nil {
		return err
	}
	defer body.Close()
	out, err := archive.Create("files/" + file.ID + "-" + safeName(file.Filename))
	if err != nil {
		return err
	}
	_, err = io.Copy(out, body)
	return err
}

// longestName is how many bytes of a filename are kept, so that with the id before it every file system takes it.
const longestName = 150

// safeName returns a filename as every file system takes it; the id before it makes it no special one.
func safeName(name string) string {
	name = strings.Map(func(r rune) rune {
		if strings.ContainsRune(`<>:"/\|?*`, r) || !unicode.IsPrint(r) {
			return '_'
		}
		return r
	}, name)
	if len(name) > longestName { // its end says of what kind it is
		name = strings.ToValidUTF8(name[len(name)-longestName:], "")
	}
	return strings.TrimRight(name, ". ")
}
