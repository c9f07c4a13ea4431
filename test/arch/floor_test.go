package arch_test

import (
	"fmt"
	"slices"
)

// place is a part of the floor plan: where packages stand, and what they may import. The patterns are those of matches.
type place struct {
	rule  string // the name of the rule that guards it
	says  string
	at    string // the packages that stand here
	may   string // what they may import of the repository
	std   string // what they may import of the standard library; empty is all of it
	tests string // what their tests may import besides
}

// floor is the floor plan. A package stands at the first place that fits; everything a place doesn't name is forbidden
// there, so no package comes to know another by accident.
var floor = []place{
	{
		rule: "contracts-are-leaves",
		says: "A contract is read by every other module, so it knows none: the standard library and platform/{errs,events,id} only.",
		at:   "modules/{m}",
		may:  "platform/errs platform/events platform/id",
	},
	{
		rule: "fakes-know-contracts-only",
		says: "A fake stands in for a contract in other modules' tests and brings nothing else along.",
		at:   "modules/{m}/{m}test",
		may:  "modules/{m} platform/errs platform/events platform/id",
	},
	{
		rule: "domains-are-pure",
		says: "The domain is rules: it imports platform/{errs,id} and what of the standard library only computes.",
		at:   "modules/{m}/internal/domain",
		may:  "platform/errs platform/id",
		std:  pure,
	},
	{
		rule: "use-cases-know-no-technology",
		says: "A use case knows its domain, the contracts, and platform packages that no technology shows through.",
		at:   "modules/{m}/internal/app",
		may: "modules/{m}/internal/domain modules/* " +
			"platform/clock platform/errs platform/events platform/export platform/fold platform/id platform/page platform/recent",
		std: pure + " bufio context crypto/hmac crypto/rand crypto/sha256 crypto/subtle html/template io mime path sync " +
			"sync/atomic text/template",
	},
	{
		rule: "adapters-stand-alone",
		says: "An adapter is one technology: it knows its own use cases, the contracts and the platform, and no other adapter.",
		at:   "modules/{m}/internal/adapters/*",
		may:  "modules/{m}/internal/app modules/{m}/internal/domain modules/* platform/*",
	},
	{
		rule: "composition-stays-at-home",
		says: "The composition root of a module puts together its own inside; of other modules it knows the contracts.",
		at:   "modules/{m}/{m}mod",
		may:  "modules/{m}/internal/... modules/* platform/*",
	},
	{
		rule: "testkit-knows-no-module",
		says: "What tests stand on works for all of them: it knows the platform and the schema.",
		at:   "platform/testkit/... platform/*/*test",
		may:  "platform/... schema",
	},
	{
		rule:  "platform-knows-no-module",
		says:  "The platform is what any product needs: it knows no module, no schema and not how the product is put together.",
		at:    "platform/*",
		may:   "platform/*",
		tests: "schema",
	},
	{
		rule:  "schema-knows-no-module",
		says:  "Migrations are SQL: the schema knows the platform, and the models are handed to it.",
		at:    "schema/...",
		may:   "platform/*",
		tests: "schema/... wire_gen",
	},
	{
		rule: "wiring-knows-no-inside",
		says: "wire_gen joins composition roots, contracts, platform and schema. It is the product's only way to a composition root.",
		at:   "wire_gen",
		may:  "modules/* modules/*/*mod platform/* schema",
	},
	{
		rule:  "product-starts-from-wiring",
		says:  "The command is a thin shell around wire_gen.",
		at:    "cmd/omnistack",
		may:   "platform/* schema wire_gen",
		tests: "test/...",
	},
	{
		rule:  "scaffold-starts-from-wiring",
		says:  "The contributor's tool learns what it needs from wire_gen, the schema tooling and the testkit.",
		at:    "cmd/scaffold/...",
		may:   "cmd/scaffold/... platform/... schema/... wire_gen",
		tests: "test/...",
	},
	{
		rule: "acceptance-tests-stay-outside",
		says: "What is in test/ meets the product from outside: nothing of a command, and no module's inside.",
		at:   "test/...",
		may:  "modules/* modules/*/*mod modules/*/*test platform/... schema/... test/... wire_gen",
	},
}

// everyTest is what any test may import, besides its own package.
const everyTest = "modules/*/*test platform/..."

// pure is what of the standard library only computes: no input, no output, no clock, no chance.
const pure = "bytes cmp container/... encoding/... errors fmt hash/... iter maps math math/big math/bits net/mail " +
	"net/netip net/url regexp slices sort strconv strings time unicode/... unique"

func floorRules() []rule {
	all := []rule{{
		name: "every-package-has-a-place",
		says: "The floor plan in floor_test.go says what a package may import by where it stands. A new kind of place is added there.",
		check: func(t *tree) []string {
			var broken []string
			for _, p := range t.packages {
				if placeOf(p) < 0 {
					broken = append(broken, p.path+": is at no place of the floor plan")
				}
			}
			return broken
		},
	}}
	for i, place := range floor {
		all = append(all, rule{name: place.rule, says: place.says, check: func(t *tree) []string {
			var broken []string
			for _, p := range t.packages {
				if placeOf(p) == i {
					broken = append(broken, place.trespasses(t, p)...)
				}
			}
			return broken
		}})
	}
	return all
}

// placeOf returns where in the floor plan a package stands, or -1.
func placeOf(p *pkg) int {
	return slices.IndexFunc(floor, func(here place) bool { return matches(here.at, p.path, p.path) })
}

// trespasses returns the imports of a package that its place doesn't allow. What it may import from other
// repositories is told in libraries_test.go.
func (here place) trespasses(t *tree, p *pkg) []string {
	var broken []string
	for _, f := range p.files {
		may := here.may
		if f.isTest {
			may += " " + p.path + " " + everyTest + " " + here.tests
		}
		for _, target := range f.imports {
			own, isOwn := t.own(target.path)
			switch {
			case isOwn && !matches(may, own, p.path):
				broken = append(broken, fmt.Sprintf("%s: imports %s", target.at, own))
			case std(target.path) && here.std != "" && !f.isTest && !matches(here.std, target.path, ""):
				broken = append(broken, fmt.Sprintf("%s: imports %s", target.at, target.path))
			}
		}
	}
	return broken
}
