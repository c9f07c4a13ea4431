package wiregen

import (
	"slices"

	"github.com/omnistack/omnistack/platform/audit"
	"github.com/omnistack/omnistack/platform/blob"
	"github.com/omnistack/omnistack/platform/bus"
	"github.com/omnistack/omnistack/platform/erasure"
	"github.com/omnistack/omnistack/platform/httpserver"
	"github.com/omnistack/omnistack/platform/idempotency"
	"github.com/omnistack/omnistack/platform/jobs"
	"github.com/omnistack/omnistack/platform/module"
)

// Platform returns the tables of contents of the platform's packages that keep something in the database.
func Platform() []module.Descriptor {
	return []module.Descriptor{
		bus.Describe(), jobs.Describe(), audit.Describe(), new(idempotency.Store).Describe(), new(erasure.Erasure).Describe(), new(blob.Removals).Describe(),
	}
}

// mount registers every module's routes.
func (m *Modules) mount(server *httpserver.Server) {
	for _, described := range m.Describe() {
		if described.Routes != nil {
			described.Routes(server.Router(described.Name))
		}
	}
}

// Models returns the rows of every module and of the platform, for the schema tooling.
func Models() []any {
	var models []any
	for _, described := range slices.Concat(unopened(&Settings{}).Describe(), Platform()) {
		models = append(models, described.Models...)
	}
	return models
}
