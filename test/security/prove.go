package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// outcomes are what became of the tests of each folder: pass, fail or skip, by the names of tests and subtests. What
// isn't in there didn't run.
type outcomes map[string]map[string]string

// proveTables runs every test that the tables name, and prints the checklist and how many requirements stand.
func proveTables(ctx context.Context) error {
	checklist, err := decode[line](checklistText)
	if err != nil {
		return fmt.Errorf("checklist.yaml: %w", err)
	}
	asvs, err := decode[line](asvsText)
	if err != nil {
		return fmt.Errorf("asvs.yaml: %w", err)
	}
	named := testsOf(slices.Concat(checklist, asvs))
	done := outcomes{}
	for i, folder := range slices.Sorted(maps.Keys(named)) {
		fmt.Printf("%2d/%d  %s: ", i+1, len(named), folder)
		results, output := runTests(ctx, folder, named[folder])
		done[folder] = results
		if failed := failures(results, named[folder]); len(failed) > 0 {
			fmt.Printf("FAIL %s\n%s", strings.Join(failed, " "), output)
			continue
		}
		fmt.Printf("%d pass\n", len(named[folder]))
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	broken := printChecklist(os.Stdout, checklist, done) + printASVS(os.Stdout, asvs, done)
	if broken > 0 {
		return fmt.Errorf("%d lines aren't proved", broken)
	}
	return nil
}

// testsOf returns the tests that the lines name, by their folders, each once.
func testsOf(lines []line) map[string][]string {
	named := map[string][]string{}
	for _, line := range lines {
		for folder, tests := range line.Tests {
			named[folder] = append(named[folder], tests...)
		}
	}
	for folder, tests := range named {
		slices.Sort(tests)
		named[folder] = slices.Compact(tests)
	}
	return named
}

// runTests runs the named tests of a folder and returns what became of them, and what there was to read.
func runTests(ctx context.Context, folder string, tests []string) (map[string]string, string) {
	functions := make([]string, len(tests))
	for i, test := range tests {
		functions[i], _, _ = strings.Cut(test, "/")
	}
	pattern := "^(" + strings.Join(slices.Compact(functions), "|") + ")$"
	cmd := exec.CommandContext(ctx, "go", "test", "-json", "-count=1", "-run", pattern, "./"+filepath.ToSlash(folder))
	var complaints strings.Builder
	cmd.Stderr = &complaints
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, err.Error() + "\n"
	}
	results, output, err := readEvents(stdout)
	err = errors.Join(err, cmd.Wait()) // which says no more than that something failed, or why nothing ran
	if err != nil {
		output += complaints.String() + err.Error() + "\n"
	}
	return results, output
}

// readEvents reads what `go test -json` prints: see `go doc test2json`.
func readEvents(r io.Reader) (results map[string]string, output string, err error) {
	results = map[string]string{}
	var text strings.Builder
	events := json.NewDecoder(bufio.NewReader(r))
	for {
		var event struct{ Action, Test, Output string }
		switch err := events.Decode(&event); {
		case errors.Is(err, io.EOF):
			return results, text.String(), nil
		case err != nil:
			_, _ = io.Copy(io.Discard, r) // so that the command doesn't wait for a reader
			return results, text.String(), err
		}
		switch event.Action {
		case "output", "build-output":
			text.WriteString(event.Output)
		case "pass", "fail", "skip":
			if event.Test != "" {
				results[event.Test] = event.Action
			}
		}
	}
}

// failures returns those of the tests that didn't pass, with what became of them. A test that skips proves nothing.
func failures(results map[string]string, tests []string) []string {
	var failed []string
	for _, test := range tests {
		switch result := results[test]; result {
		case "pass":
		case "":
			failed = append(failed, test+" (did not run)")
		default:
			failed = append(failed, test+" ("+result+")")
		}
	}
	return failed
}

// failures returns the tests of the line that didn't pass.
func (l line) failures(done outcomes) []string {
	var failed []string
	for _, folder := range slices.Sorted(maps.Keys(l.Tests)) {
		for _, failure := range failures(done[folder], l.Tests[folder]) {
			failed = append(failed, folder+" "+failure)
		}
	}
	return failed
}

// printChecklist prints every line with its tests, and returns how many failed.
func printChecklist(w io.Writer, lines []line, done outcomes) (broken int) {
	fmt.Fprintln(w, "\nThe checklist")
	for _, line := range lines {
		failed := line.failures(done)
		switch {
		case line.NotApplicable != "":
			fmt.Fprintf(w, "  n/a   %s\n          %s\n", line.Title, line.NotApplicable)
		case line.Open != "":
			fmt.Fprintf(w, "  open  %s\n          comes with %s\n", line.Title, line.Open)
		case len(failed) > 0:
			broken++
			fmt.Fprintf(w, "  FAIL  %s\n          %s\n", line.Title, strings.Join(failed, "\n          "))
		default:
			fmt.Fprintf(w, "  pass  %s\n", line.Title)
			for _, folder := range slices.Sorted(maps.Keys(line.Tests)) {
				fmt.Fprintf(w, "          %s %s\n", folder, strings.Join(line.Tests[folder], " "))
			}
		}
	}
	return broken
}

// printASVS prints how many requirements are proved, don't apply and are open, which those are, and what failed. It
// returns how many failed.
func printASVS(w io.Writer, lines []line, done outcomes) (broken int) {
	proved, notApplicable := 0, 0
	var open []string
	fmt.Fprintln(w, "\nOWASP ASVS 5.0.0, levels 1 and 2 of V1, V2, V4, V5, V8, V9 and V13 to V16")
	for _, line := range lines {
		failed := line.failures(done)
		switch {
		case line.NotApplicable != "":
			notApplicable++
		case line.Open != "":
			open = append(open, fmt.Sprintf("  open  %-7s %s: comes with %s", line.ID, line.Title, line.Open))
		case len(failed) > 0:
			broken++
			fmt.Fprintf(w, "  FAIL  %-7s %s\n          %s\n", line.ID, line.Title, strings.Join(failed, "\n          "))
		default:
			proved++
		}
	}
	for _, line := range open {
		fmt.Fprintln(w, line)
	}
	fmt.Fprintf(w, "  %d requirements: %d proved, %d not applicable, %d open, %d failed\n",
		len(lines), proved, notApplicable, len(open), broken)
	return broken
}
