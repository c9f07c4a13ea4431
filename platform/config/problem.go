package config

import (
	"fmt"
	"strconv"
	"strings"
)

// Problem is one thing that is wrong, or that is worth a warning, about one variable. It never holds a secret.
type Problem struct {
	Name    string // the variable, or the file when a .env file can't be read
	Value   string // what it holds, masked when secret; empty when it holds nothing
	Source  string // where Value came from, as in Setting; empty when it holds nothing
	Message string // what is wrong and what is allowed, such as "must be from 1 to 65535"
}

// String returns one line, such as `PORT="x" (.env): must be a whole number`.
func (p Problem) String() string {
	switch {
	case p.Source == "":
		return p.Name + ": " + p.Message
	case p.Value == "":
		return p.Name + " is unset: " + p.Message
	}
	return fmt.Sprintf("%s=%s (%s): %s", p.Name, strconv.Quote(p.Value), p.Source, p.Message)
}

// InvalidError says that the settings can't be used. It holds every problem, in declared order.
type InvalidError struct {
	Problems []Problem
}

// Error returns a list with one problem a line, under a headline that counts them.
func (e *InvalidError) Error() string {
	var b strings.Builder
	if len(e.Problems) == 1 {
		b.WriteString("1 setting is not valid:")
	} else {
		fmt.Fprintf(&b, "%d settings are not valid:", len(e.Problems))
	}
	for _, p := range e.Problems {
		b.WriteString("\n  " + p.String())
	}
	return b.String()
}

// Check is what a Validator sees and where it puts what it finds.
type Check struct {
	// Environment is where the process runs, also for groups that don't declare it.
	Environment Environment

	loader *loader
}

// Refuse records that the named setting can't stay as it is. The message completes the sentence "NAME …" and says what
// is allowed: "must be set when STRIPE_SECRET_KEY is". What the setting holds is added, masked when secret.
func (c *Check) Refuse(name, format string, args ...any) {
	c.loader.refuse(name, fmt.Sprintf(format, args...))
}

// Warn records something that is allowed but probably not meant.
func (c *Check) Warn(name, format string, args ...any) {
	c.loader.warn(name, fmt.Sprintf(format, args...))
}

// IsSet reports whether the named setting was given a value, rather than left at its default.
func (c *Check) IsSet(name string) bool {
	f := c.loader.byName[name]
	return f != nil && f.Source != sourceDefault
}
