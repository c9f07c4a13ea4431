package config

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Report says what every setting holds and where it came from. It never holds a secret.
type Report struct {
	Environment Environment
	Settings    []Setting // in declared order, so grouped by owner and section
	Warnings    []Problem // what is allowed but probably not meant, unknown variables among it
}

// Lookup returns the setting of that name.
func (r *Report) Lookup(name string) (Setting, bool) {
	for _, s := range r.Settings {
		if s.Name == name {
			return s, true
		}
	}
	return Setting{}, false
}

// Print writes an aligned table of every setting under its owner, then the warnings.
func (r *Report) Print(w io.Writer) error {
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	heading := ""
	for _, s := range r.Settings {
		if title := strings.TrimSuffix(s.Owner+" "+s.Section, " "); title != heading {
			if heading != "" {
				fmt.Fprintln(table)
			}
			heading = title
			fmt.Fprintln(table, title)
		}
		value := s.Value
		if value == "" {
			value = "-"
		}
		fmt.Fprintf(table, "  %s\t%s\t%s\t%s\n", s.Name, printable(value), printable(s.Source), s.Help)
	}
	for i, warning := range r.Warnings {
		if i == 0 {
			fmt.Fprint(table, "\nwarnings\n")
		}
		fmt.Fprintf(table, "  %s\n", printable(warning.String()))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// printable keeps a value on its line and in its column.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text)
}
