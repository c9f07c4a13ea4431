package schema_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/omnistack/omnistack/schema/diff"
)

// atlas.hcl is for users of the atlas CLI; it must describe what the product does itself.
func TestAtlasHCL(t *testing.T) {
	file, problems := hclparse.NewParser().ParseHCLFile("../atlas.hcl")
	if problems.HasErrors() {
		t.Fatal(problems)
	}
	found := map[string]*hclsyntax.Body{}
	for _, block := range file.Body.(*hclsyntax.Body).Blocks {
		if block.Type == "env" {
			found[block.Labels[0]] = block.Body
		}
	}
	if len(found) != len(diff.Engines()) {
		t.Errorf("%d environments, want one for each engine", len(found))
	}
	for _, engine := range diff.Engines() {
		env := found[string(engine)]
		if env == nil {
			t.Errorf("no environment for %s", engine)
			continue
		}
		if excluded := texts(t, env.Attributes["exclude"]); !slices.Equal(excluded, diff.Excluded()) {
			t.Errorf("%s excludes %v, the diff excludes %v", engine, excluded, diff.Excluded())
		}
		i := slices.IndexFunc(env.Blocks, func(b *hclsyntax.Block) bool { return b.Type == "migration" })
		if i < 0 {
			t.Errorf("%s has no migration block", engine)
			continue
		}
		migration := env.Blocks[i].Body.Attributes
		want := "file://schema/migrations/" + string(engine)
		if dir := texts(t, migration["dir"]); !slices.Equal(dir, []string{want}) {
			t.Errorf("%s reads %v, want %s", engine, dir, want)
		}
		if _, err := os.Stat(filepath.Join("..", want[len("file://"):], "atlas.sum")); err != nil {
			t.Errorf("%s names no folder of migrations: %v", engine, err)
		}
		if engine == "postgres" && !slices.Equal(texts(t, migration["revisions_schema"]), []string{"public"}) {
			t.Error("the ledger is in the schema public, atlas.hcl says otherwise")
		}
	}
}

// texts returns the string, or the strings of the list, that the attribute holds.
func texts(t *testing.T, attribute *hclsyntax.Attribute) []string {
	t.Helper()
	if attribute == nil {
		return nil
	}
	value, problems := attribute.Expr.Value(&hcl.EvalContext{})
	if problems.HasErrors() {
		t.Fatal(problems)
	}
	if !value.CanIterateElements() {
		return []string{value.AsString()}
	}
	var all []string
	for _, element := range value.AsValueSlice() {
		all = append(all, element.AsString())
	}
	return all
}
