package arch_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/omnistack/omnistack/platform/events"
)

// userDeleted is the event that an account is gone for good.
const userDeleted = "users.user_deleted.v1"

// consumerName is the form of a consumer's golden name.
var consumerName = regexp.MustCompile(`^[a-z][a-z0-9]*\.[a-z][a-z0-9_]*$`)

// userColumn is what columns are called that hold the id of a user.
var userColumn = regexp.MustCompile(`^(user|owner|actor|author|creator|member|sender|recipient|assignee|invitee|uploader)(_id)?$|_(user|owner|author|creator|member)_id$|^(created|updated|deleted|invited|uploaded|approved|assigned)_by$|^user_|^uid$`)

// notTold are the tables with an Owner of which a person is told nothing: an answer that is kept for a day under an idempotency key
// is a copy of what was sent to that person and is exported from where it is kept for good.
var notTold = []string{"idempotency_keys"}

func eventRules() []rule {
	isPersonal := func(table table) bool { return table.Owner != "" }
	return []rule{
		{
			name: "personal-data-is-exported",
			says: "Who has a table with an Owner has an Exporter.",
			check: func(t *tree) []string {
				var broken []string
				for _, m := range t.owners() {
					isTold := func(table table) bool { return isPersonal(table) && !slices.Contains(notTold, table.Name) }
					if i := slices.IndexFunc(m.Tables, isTold); i >= 0 && !m.Exporter {
						broken = append(broken, fmt.Sprintf("%s: the table %s is somebody's, and nothing exports it", m.Name, m.Tables[i].Name))
					}
				}
				return broken
			},
		},
		{
			name: "personal-data-is-erased",
			says: "Who has a table with an Owner has an Eraser, and a module's Eraser runs when a user is deleted: the module " +
				"consumes " + userDeleted + ". The house makes that consumer (platform/erasure); the users erase themselves where they publish it.",
			check: func(t *tree) []string {
				var broken []string
				for _, m := range t.owners() {
					if i := slices.IndexFunc(m.Tables, isPersonal); i >= 0 && !m.Eraser {
						broken = append(broken, fmt.Sprintf("%s: the table %s is somebody's, and nothing erases it", m.Name, m.Tables[i].Name))
					}
					listens := func(c consumer) bool { return c.Event == userDeleted }
					isModule := slices.ContainsFunc(t.Modules, func(other described) bool { return other.Name == m.Name })
					if m.Eraser && isModule && m.Name != "users" && !slices.ContainsFunc(m.Consumes, listens) {
						broken = append(broken, fmt.Sprintf("%s: the Eraser isn't called: nothing here consumes %s", m.Name, userDeleted))
					}
				}
				return broken
			},
		},
		{
			name: "users-are-owners",
			says: "A column that is called like a user's id is the Owner of its table, by which the rows are erased, or among those that " +
				"are Pseudonymous, which are emptied 30 days later. Where a column of another name holds ids of users, TestNothingIsLeftOfAPerson finds it.",
			check: func(t *tree) []string {
				var broken []string
				for _, m := range t.owners() {
					for _, table := range m.Tables {
						for _, column := range table.Pseudonymous {
							if !slices.Contains(t.Tables[table.Name], column) {
								broken = append(broken, fmt.Sprintf("%s: the table %s has no column %s", m.Name, table.Name, column))
							}
						}
						for _, column := range t.Tables[table.Name] {
							if userColumn.MatchString(column) && column != table.Owner && !slices.Contains(table.Pseudonymous, column) {
								broken = append(broken, fmt.Sprintf("%s: %s.%s names a user, and nothing erases by it", m.Name, table.Name, column))
							}
						}
					}
				}
				return broken
			},
		},
		{
			name: "events-keep-their-names",
			says: "An event is called MODULE.WHAT_HAPPENED.vN, by the module that publishes it, and by no other event.",
			check: func(t *tree) []string {
				var broken []string
				known := map[string]bool{}
				for _, m := range t.owners() {
					for _, name := range m.Publishes {
						switch {
						case !events.ValidName(name):
							broken = append(broken, fmt.Sprintf("%s: %q isn't of the form MODULE.WHAT_HAPPENED.vN", m.Name, name))
						case !strings.HasPrefix(name, m.Name+"."):
							broken = append(broken, fmt.Sprintf("%s: the event %s is called like another's", m.Name, name))
						case known[name]:
							broken = append(broken, fmt.Sprintf("%s: two events are called %s", m.Name, name))
						}
						known[name] = true
					}
				}
				return broken
			},
		},
		{
			name: "consumers-keep-their-names",
			says: "A consumer is called MODULE.WHAT_IT_DOES, by its own module, and by no other consumer: what it has handled is " +
				"remembered under that name. Some module publishes what it consumes.",
			check: func(t *tree) []string {
				var broken []string
				published, known := map[string]bool{}, map[string]bool{}
				for _, m := range t.owners() {
					for _, name := range m.Publishes {
						published[name] = true
					}
				}
				for _, m := range t.owners() {
					for _, c := range m.Consumes {
						switch {
						case !consumerName.MatchString(c.Name):
							broken = append(broken, fmt.Sprintf("%s: %q isn't of the form MODULE.WHAT_IT_DOES", m.Name, c.Name))
						case !strings.HasPrefix(c.Name, m.Name+"."):
							broken = append(broken, fmt.Sprintf("%s: the consumer %s is called like another's", m.Name, c.Name))
						case known[c.Name]:
							broken = append(broken, fmt.Sprintf("%s: two consumers are called %s", m.Name, c.Name))
						}
						known[c.Name] = true
						if !published[c.Event] {
							broken = append(broken, fmt.Sprintf("%s: nobody publishes %q, for which %s waits", m.Name, c.Event, c.Name))
						}
					}
				}
				return broken
			},
		},
	}
}
