package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// exception is a module that is used though something speaks against it.
type exception struct {
	Module  string    `yaml:"module"`
	Finding string    `yaml:"finding"` // deprecated or retracted; archived is what a reviewer found, since go list can't tell
	Reason  string    `yaml:"reason"`
	Noted   time.Time `yaml:"noted"`
	Review  time.Time `yaml:"review"` // the day on which the reason has to be looked at again
}

//go:embed modules.yaml
var exceptionsText []byte

// check tells what is wrong with the form of an exception.
func (e exception) check() error {
	switch {
	case e.Module == "" || strings.TrimSpace(e.Reason) == "":
		return errors.New("an exception names its module and a reason")
	case !slices.Contains([]string{"deprecated", "retracted", "archived"}, e.Finding):
		return fmt.Errorf("%s: %q is no finding", e.Module, e.Finding)
	case e.Noted.IsZero() || !e.Review.After(e.Noted) || e.Review.After(e.Noted.AddDate(1, 0, 0)):
		return fmt.Errorf("%s: it is looked at again within a year after it was noted", e.Module)
	}
	return nil
}

// found is what `go list -m` tells of a module.
type found struct {
	Path, Version string
	Deprecated    string   // why
	Retracted     []string // why
}

// checkModules asks the module proxy about the modules that go.mod names and those that are linked into the product.
func checkModules(ctx context.Context, now time.Time) error {
	exceptions, err := decode[exception](exceptionsText)
	if err != nil {
		return fmt.Errorf("modules.yaml: %w", err)
	}
	used, err := usedModules(ctx)
	if err != nil {
		return err
	}
	listed, err := output(ctx, append([]string{"go", "list", "-m", "-u", "-retracted", "-json"}, used...))
	if err != nil {
		return err
	}
	modules, err := decodeModules(listed)
	if err != nil {
		return err
	}
	wrong := judge(modules, exceptions, now)
	for _, line := range wrong {
		progress("  %s", line)
	}
	if len(wrong) > 0 {
		return errors.New("see modules.yaml in test/security")
	}
	progress("%d modules, %d exceptions", len(modules), len(exceptions))
	return nil
}

// usedModules returns the paths of the modules that go.mod requires for our own code, and of those in the product.
func usedModules(ctx context.Context) ([]string, error) {
	goMod, err := output(ctx, []string{"go", "mod", "edit", "-json"})
	if err != nil {
		return nil, err
	}
	var edited struct {
		Require []struct {
			Path     string
			Indirect bool
		}
	}
	if err := json.Unmarshal(goMod, &edited); err != nil {
		return nil, err
	}
	used := map[string]bool{}
	for _, required := range edited.Require {
		if !required.Indirect {
			used[required.Path] = true
		}
	}
	linked, err := output(ctx, []string{
		"go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}{{end}}{{end}}", "./cmd/omnistack",
	})
	if err != nil {
		return nil, err
	}
	for path := range strings.FieldsSeq(string(linked)) {
		used[path] = true
	}
	return slices.Sorted(maps.Keys(used)), nil
}

// decodeModules reads one JSON object after the other.
func decodeModules(text []byte) ([]found, error) {
	var modules []found
	decoder := json.NewDecoder(bytes.NewReader(text))
	for {
		var module found
		switch err := decoder.Decode(&module); {
		case errors.Is(err, io.EOF):
			return modules, nil
		case err != nil:
			return nil, err
		}
		modules = append(modules, module)
	}
}

// judge tells which modules are used in spite of a finding that no exception names, and which exceptions are needed no
// more or have to be looked at again.
func judge(modules []found, exceptions []exception, now time.Time) []string {
	needed := map[exception]bool{}
	var wrong []string
	for _, module := range modules {
		findings := map[string]string{"archived": "archived"}
		if module.Deprecated != "" {
			findings["deprecated"] = module.Deprecated
		}
		if len(module.Retracted) > 0 {
			findings["retracted"] = strings.Join(module.Retracted, "; ")
		}
		for _, e := range exceptions {
			if _, holds := findings[e.Finding]; holds && e.Module == module.Path {
				needed[e] = true
				delete(findings, e.Finding)
			}
		}
		delete(findings, "archived") // which is known of those only that an exception names
		for _, finding := range slices.Sorted(maps.Keys(findings)) {
			wrong = append(wrong, fmt.Sprintf("%s %s is %s: %s", module.Path, module.Version, finding, findings[finding]))
		}
	}
	for _, e := range exceptions {
		switch {
		case !needed[e]:
			wrong = append(wrong, fmt.Sprintf("%s isn't used or isn't %s any more: take the exception away", e.Module, e.Finding))
		case now.After(e.Review):
			wrong = append(wrong, fmt.Sprintf("%s is %s and was to be looked at again on %s", e.Module, e.Finding, e.Review.Format(time.DateOnly)))
		}
	}
	return wrong
}

// output runs a program and returns its standard output; an error tells what it complained of.
func output(ctx context.Context, args []string) ([]byte, error) {
	var complaints strings.Builder
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stderr = &complaints
	text, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %s", strings.Join(args[:min(3, len(args))], " "), err, complaints.String())
	}
	return text, nil
}
