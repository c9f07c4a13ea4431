package arch_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// libraries says who may know which of other people's code, so that replacing a library changes the packages named
// here and no others. A pattern with _test at its end means only the tests of the package. One library may be more than
// one module; a path stands for everything below it.
//
// The linter is told the same by depguard in .golangci.yml, which is written from here:
//
//	go test ./test/arch -run TestDepguard -update
var libraries = []library{
	{"ariga.io/atlas", "schema schema/diff"},
	{"github.com/ThreeDotsLabs/watermill", "platform/bus"},
	{"github.com/ThreeDotsLabs/watermill-redisstream", "platform/bus"},
	{"github.com/aws/aws-sdk-go-v2", "platform/blob"},
	{"github.com/aws/smithy-go", "platform/blob"},
	{"github.com/danielgtaylor/huma", "platform/httpserver"},
	{"github.com/gabriel-vasile/mimetype", "modules/projects/internal/adapters/objects"},
	{"github.com/getkin/kin-openapi", "test/contract_test"},
	{"github.com/gin-gonic/gin", "platform/httpserver"},
	{"github.com/go-json-experiment/json", "modules/ai/internal/adapters/httpapi modules/ai/internal/adapters/langchain platform/auth platform/httpserver platform/patch test/bench/..."},
	{"github.com/google/uuid", "platform/id schema/diff"},
	{"github.com/google/wire", "wire_gen"},
	{"github.com/hashicorp/hcl", "schema_test"},
	{"github.com/jackc/pgx", "platform/database platform/testkit schema schema/diff test/bench/..."},
	{"github.com/knadh/koanf", "platform/config"},
	{"github.com/lestrrat-go/jwx", "platform/auth"},
	{"github.com/onsi/ginkgo", "test/..."},
	{"github.com/onsi/gomega", "test/..."},
	{"github.com/openai/openai-go", "test/sdk_test"},
	{"github.com/prometheus/client_golang", "platform/telemetry"},
	{"github.com/redis/go-redis", "platform/bus platform/cache platform/ratelimit platform/testkit wire_gen"},
	{"github.com/riverqueue/river", "platform/jobs"},
	{"github.com/robfig/cron", "platform/jobs"},
	{"github.com/rs/cors", "platform/httpserver"},
	{"github.com/santhosh-tekuri/jsonschema", "test/contract_test"},
	{"github.com/spf13/cobra", "cmd/omnistack cmd/scaffold"},
	{"github.com/stripe/stripe-go", "modules/billing/internal/adapters/stripe"},
	{"github.com/tmc/langchaingo", "modules/ai/internal/adapters/langchain test/bench/naive"},
	{"github.com/wneessen/go-mail", "modules/notifications/internal/adapters/smtp"},
	{"go.uber.org/zap", "cmd/omnistack platform/bus platform/database platform/httpserver platform/jobs platform/telemetry platform/testkit schema " +
		"test/... wire_gen"},
	{"go.yaml.in/yaml", "modules/*/internal/adapters/catalog test/security"},
	{"golang.org/x/sync", "platform/auth platform/httpserver"},
	{"golang.org/x/text", "platform/fold"},
	{"golang.org/x/tools", "cmd/scaffold test/arch_test"},
	{"gorm.io/driver", "platform/database schema/diff"},
	{"gorm.io/gorm", "modules/*/internal/adapters/store platform/database schema/diff"},
	{"modernc.org/sqlite", "platform/database schema schema/diff"},
	{"pgregory.net/rapid", "test/contract_test"},
}

// library is code of others and the packages that may import it.
type library struct {
	path string
	in   string
}

// holds tells whether an import is of the library.
func (l library) holds(path string) bool {
	return path == l.path || strings.HasPrefix(path, l.path+"/")
}

// allows tells whether a file of the package may import the library.
func (l library) allows(p *pkg, f *file) bool {
	return matches(l.in, p.path, "") || f.isTest && matches(l.in, p.path+"_test", "")
}

func libraryRules() []rule {
	return []rule{{
		name: "libraries-are-confined",
		says: "Each library is known to the packages that libraries_test.go names, and a new one is entered there first.",
		check: func(t *tree) []string {
			var broken []string
			for p, f := range t.files() {
				broken = append(broken, strayImports(t, p, f)...)
			}
			return broken
		},
	}}
}

// strayImports returns the libraries that the file mustn't import.
func strayImports(t *tree, p *pkg, f *file) []string {
	var stray []string
	for _, target := range f.imports {
		if _, own := t.own(target.path); own || std(target.path) {
			continue
		}
		known, allowed := false, false
		for _, l := range libraries {
			if l.holds(target.path) {
				known, allowed = true, l.allows(p, f)
			}
		}
		switch {
		case !known:
			stray = append(stray, fmt.Sprintf("%s: imports %s, which is on no list", target.at, target.path))
		case !allowed:
			stray = append(stray, fmt.Sprintf("%s: imports %s, which is kept elsewhere", target.at, target.path))
		}
	}
	return stray
}

// TestNoPackageIsNamedForNothing keeps the list above as short as it can be. A library that nobody imports yet may stand
// there for who will.
func TestNoPackageIsNamedForNothing(t *testing.T) {
	house, err := load(os.DirFS(top), facts{})
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range libraries {
		var needed, idle []string
		for pattern := range strings.FieldsSeq(l.in) {
			if house.imports(library{l.path, pattern}) {
				needed = append(needed, pattern)
			} else {
				idle = append(idle, pattern)
			}
		}
		if len(needed) > 0 && len(idle) > 0 {
			t.Errorf("%s isn't imported by %s", l.path, strings.Join(idle, ", "))
		}
	}
}

// imports tells whether a package that may import the library does.
func (t *tree) imports(l library) bool {
	for p, f := range t.files() {
		if l.allows(p, f) && slices.ContainsFunc(f.imports, func(i imported) bool { return l.holds(i.path) }) {
			return true
		}
	}
	return false
}

var update = flag.Bool("update", false, "write depguard's part of .golangci.yml anew")

// The lines of .golangci.yml between which depguard's rules stand.
const (
	depguardBegin = "        # Written by go test ./test/arch -run TestDepguard -update.\n"
	depguardEnd   = "        # The end of what is written.\n"
)

func TestDepguard(t *testing.T) {
	const config = top + "/.golangci.yml"
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begins := bytes.Cut(text, []byte(depguardBegin))
	_, after, ends := bytes.Cut(rest, []byte(depguardEnd))
	if !begins || !ends {
		t.Fatalf("%s has no place for depguard's rules", config)
	}
	want := fmt.Sprintf("%s%s%s%s%s", before, depguardBegin, depguard(), depguardEnd, after)
	if want == string(text) {
		return
	}
	if !*update {
		t.Fatalf("%s doesn't confine what libraries_test.go does: run go test ./test/arch -run TestDepguard -update", config)
	}
	if err := os.WriteFile(config, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

// depguard returns the libraries as depguard's rules: each is denied everywhere but in its packages.
func depguard() string {
	var rules strings.Builder
	for _, l := range libraries {
		fmt.Fprintf(&rules, "        %s:\n          files:\n", strings.NewReplacer(".", "-", "/", "-").Replace(l.path))
		for pattern := range strings.FieldsSeq(l.in) {
			files := pattern + "/*.go"
			if folder, ok := strings.CutSuffix(pattern, "/..."); ok {
				files = folder + "/**"
			} else if folder, ok := strings.CutSuffix(pattern, "_test"); ok {
				files = folder + "/*_test.go"
			}
			fmt.Fprintf(&rules, "            - \"!**/%s\"\n", files)
		}
		fmt.Fprintf(&rules, "          deny:\n            - pkg: %s\n              desc: is kept to %s, see test/arch/libraries_test.go\n",
			l.path, strings.ReplaceAll(l.in, " ", ", "))
	}
	return rules.String()
}
