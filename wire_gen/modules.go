package wiregen

import (
	"github.com/omnistack/omnistack/modules/ai/aimod"
	"github.com/omnistack/omnistack/modules/billing/billingmod"
	"github.com/omnistack/omnistack/modules/notifications/notificationsmod"
	"github.com/omnistack/omnistack/modules/projects/projectsmod"
	"github.com/omnistack/omnistack/modules/users/usersmod"
	"github.com/omnistack/omnistack/platform/httpserver"
	"github.com/omnistack/omnistack/platform/jobs"
	"github.com/omnistack/omnistack/platform/module"
)

// Modules are the bounded contexts, put together.
type Modules struct {
	Users    *usersmod.Module
	Projects *projectsmod.Module

	Settings *Settings // what the modules are described by that hold nothing else yet
}

// Describe returns the table of contents of every module, in the order in which they are mounted.
func (m *Modules) Describe() []module.Descriptor {
	return []module.Descriptor{
		m.Users.Describe(),
		m.Projects.Describe(),
		billingmod.Describe(&m.Settings.Billing),
		aimod.Describe(&m.Settings.AI),
		notificationsmod.Describe(&m.Settings.Notifications),
	}
}

// jobs returns every module's kinds of background work.
func (m *Modules) jobs() []module.Job {
	var kinds []module.Job
	for _, described := range m.Describe() {
		kinds = append(kinds, described.Jobs...)
	}
	return kinds
}

// Platform returns the tables of contents of the platform's packages that keep something in the database.
func Platform() []module.Descriptor { return []module.Descriptor{jobs.Describe()} }

// mount registers every module's routes.
func (m *Modules) mount(server *httpserver.Server) {
	for _, described := range m.Describe() {
		if described.Routes != nil {
			described.Routes(server.Router(described.Name))
		}
	}
}

// Models returns the rows of every module, for the schema tooling.
func Models() []any {
	var models []any
	for _, described := range unopened(&Settings{}).Describe() {
		models = append(models, described.Models...)
	}
	return models
}
