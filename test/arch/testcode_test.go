package arch_test

import "fmt"

// helpers are the packages that only tests use, though they are no tests.
const helpers = "modules/*/*test platform/*/*test platform/testkit/... test/..."

// testLibraries are what of other people's code only tests use.
const testLibraries = "github.com/onsi/... net/http/httptest testing/..."

// traps are what of the standard library the product does without: what runs programs, loads code, gets around the types,
// resolves entities, builds objects that its input names, and shows the inside of a process to whoever asks.
const traps = "encoding/gob encoding/xml expvar net/http/pprof os/exec plugin unsafe"

func testCodeRules() []rule {
	return []rule{
		{
			name: "test-code-stays-in-tests",
			says: "What is made for tests is imported by tests, by what else is made for them, and by the contributor's tool.",
			check: func(t *tree) []string {
				var broken []string
				for p, f := range t.files() {
					if f.isTest || matches(helpers+" cmd/scaffold/...", p.path, "") {
						continue
					}
					for _, target := range f.imports {
						if t.isTestCode(target.path) {
							broken = append(broken, fmt.Sprintf("%s: imports %s", target.at, target.path))
						}
					}
				}
				return broken
			},
		},
		{
			name: "no-test-code-in-the-product",
			says: "The binary holds no test code and no contributor's tool, whoever brings it along: see `go list -deps ./cmd/omnistack`.",
			check: func(t *tree) []string {
				var broken []string
				for _, linked := range t.Linked {
					own, _ := t.own(linked)
					if t.isTestCode(linked) || matches("cmd/scaffold/... schema/diff", own, "") {
						broken = append(broken, "cmd/omnistack: links "+linked)
					}
				}
				return broken
			},
		},
		{
			name: "no-traps-in-the-product",
			says: "The product starts no programs and reads no input by what would turn against it: it does without " + traps + ".",
			check: func(t *tree) []string {
				var broken []string
				for p, f := range t.files() {
					if f.isTest || matches(helpers+" cmd/scaffold/...", p.path, "") {
						continue
					}
					for _, target := range f.imports {
						if matches(traps, target.path, "") {
							broken = append(broken, fmt.Sprintf("%s: imports %s", target.at, target.path))
						}
					}
				}
				return broken
			},
		},
	}
}

// isTestCode tells whether an import path is of something made for tests.
func (t *tree) isTestCode(target string) bool {
	if own, ok := t.own(target); ok {
		return matches(helpers, own, "")
	}
	return matches(testLibraries, target, "")
}
