package app

import (
	"context"
	"time"

	"github.com/omnistack/omnistack/platform/export"
	"github.com/omnistack/omnistack/platform/id"
)

// Exporter hands out what is kept of a person here.
type Exporter struct{ store ExportStore }

// NewExporter returns an exporter over the store.
func NewExporter(store ExportStore) *Exporter { return &Exporter{store} }

// ExportStore reads what is handed out.
type ExportStore interface {
	// ExportProjects returns at most limit of the owner's projects, deleted ones too, the oldest first: those behind one of them,
	// or from the beginning for nil.
	ExportProjects(ctx context.Context, owner id.Scope, after *ExportedProject, limit int) ([]ExportedProject, error)
}

// ExportedProject is a project as it is handed out.
type ExportedProject struct {
	ID          string     `json:"id"`
	Name        string     `json:"name"`
	Description *string    `json:"description"`
	OwnerID     string     `json:"owner_id"`
	CreatedAt   time.Time  `json:"created_at"`
	UpdatedAt   time.Time  `json:"updated_at"`
	DeletedAt   *time.Time `json:"deleted_at"`
}

// Export writes the owner's projects.
func (e *Exporter) Export(ctx context.Context, owner id.Scope, archive export.Archive) error {
	return export.Array(archive, "projects.json", func(after *ExportedProject, limit int) ([]ExportedProject, error) {
		return e.store.ExportProjects(ctx, owner, after, limit)
	})
}
