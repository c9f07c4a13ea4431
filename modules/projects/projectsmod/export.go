package projectsmod

import (
	"context"

	"github.com/omnistack/omnistack/platform/export"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/module"
)

// exporters hand out one after the other.
type exporters []module.Exporter

// Export has each write what it holds.
func (e exporters) Export(ctx context.Context, owner id.Scope, archive export.Archive) error {
	for _, exporter := range e {
		if err := exporter.Export(ctx, owner, archive); err != nil {
			return err
		}
	}
	return nil
}
