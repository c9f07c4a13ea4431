package config

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

// Environment says where the process runs. Rules that protect real users are laxer in Local and Test.
type Environment string

// The environments.
const (
	Local      Environment = "local"      // a developer's machine
	Test       Environment = "test"       // automated tests
	Staging    Environment = "staging"    // a deployment without real users
	Production Environment = "production" // a deployment with real users
)

// Known reports whether e is one of the four environments.
func (e Environment) Known() bool {
	switch e {
	case Local, Test, Staging, Production:
		return true
	}
	return false
}

// OnDesk reports whether e is Local or Test, where keyless stand-ins such as the dev issuer are allowed.
func (e Environment) OnDesk() bool { return e == Local || e == Test }

// mask stands for every secret value. Its length is fixed, so that it doesn't tell the secret's.
const mask = "****"

// Secret is a text that no printer shows. Every verb of fmt, JSON and text encoding give "****", or nothing when the
// secret is empty. Only Reveal returns it.
//
// Keep it in exported fields, and never as the key of a map: fmt calls no methods on unexported fields, nor encoding/json
// on keys that are strings, so both would print the text.
type Secret string

// Reveal returns the secret itself. Pass it on to the client that needs it; don't keep it in a string.
func (s Secret) Reveal() string { return string(s) }

// List returns the secrets of a setting that may hold several, with commas between them; none when s is empty. What is empty beside
// a comma stays, so that it can be refused.
func (s Secret) List() []Secret {
	if s == "" {
		return nil
	}
	var list []Secret
	for item := range strings.SplitSeq(string(s), ",") {
		list = append(list, Secret(strings.TrimSpace(item)))
	}
	return list
}

// String returns "****", or "" when s is empty.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return mask
}

// GoString returns what String does, for %#v.
func (s Secret) GoString() string { return strconv.Quote(s.String()) }

// Format writes what String does, whatever the verb: %x and %d would show the bytes otherwise.
func (s Secret) Format(f fmt.State, verb rune) {
	if verb == 'q' || verb == 'v' && f.Flag('#') {
		_, _ = io.WriteString(f, s.GoString()) // fmt.State reports no errors
		return
	}
	_, _ = io.WriteString(f, s.String())
}

// MarshalText returns what String does.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalJSON returns what String does, as a JSON string.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(s.GoString()), nil }

// Rate is how often something may happen: Requests times within Per. Both are positive.
type Rate struct {
	Requests int
	Per      time.Duration
}

var ratePeriods = map[string]time.Duration{
	"second": time.Second,
	"minute": time.Minute,
	"hour":   time.Hour,
	"day":    24 * time.Hour,
}

var errRate = errors.New("must be a whole number from 1 to 1000000 per second, minute, hour or day, such as 60/minute")

// ParseRate reads a rate such as "60/minute". The period is second, minute, hour or day, in full: a shorter form is an
// error, never a guess.
func ParseRate(text string) (Rate, error) {
	count, period, ok := strings.Cut(text, "/")
	per, known := ratePeriods[period]
	if !ok || !known || strings.HasPrefix(count, "+") {
		return Rate{}, errRate
	}
	requests, err := strconv.Atoi(count)
	if err != nil || requests < 1 || requests > 1_000_000 {
		return Rate{}, errRate
	}
	return Rate{Requests: requests, Per: per}, nil
}

// String returns the form that ParseRate reads.
func (r Rate) String() string {
	for name, per := range ratePeriods {
		if r.Per == per {
			return fmt.Sprintf("%d/%s", r.Requests, name)
		}
	}
	return fmt.Sprintf("%d/%s", r.Requests, r.Per)
}

// UnmarshalText reads what ParseRate does.
func (r *Rate) UnmarshalText(text []byte) (err error) {
	*r, err = ParseRate(string(text))
	return err
}

// MarshalText returns what String does.
func (r Rate) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// Size is a number of bytes.
type Size int64

// sizeUnits goes from the longest suffix to the shortest: "MiB" ends in "B" too.
var sizeUnits = []struct {
	suffix string
	bytes  int64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
	{"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12},
	{"B", 1},
}

var errSize = errors.New("must be a number of bytes, plain or with a unit, such as 1048576, 1MiB (1024 times 1024) or 2MB (1000 times 1000)")

// ParseSize reads a size such as "1048576", "1MiB", "2MB" or "512KB". KiB, MiB, GiB and TiB are powers of 1024; KB, MB,
// GB and TB are powers of 1000.
func ParseSize(text string) (Size, error) {
	digits, unit := strings.TrimSpace(text), int64(1)
	for _, u := range sizeUnits {
		if head, ok := cutSuffixFold(digits, u.suffix); ok {
			digits, unit = strings.TrimSpace(head), u.bytes
			break
		}
	}
	count, err := strconv.ParseUint(digits, 10, 63)
	if err != nil || int64(count) > math.MaxInt64/unit {
		return 0, errSize
	}
	return Size(int64(count) * unit), nil
}

func cutSuffixFold(text, suffix string) (head string, found bool) {
	cut := len(text) - len(suffix)
	if cut < 0 || !strings.EqualFold(text[cut:], suffix) {
		return text, false
	}
	return text[:cut], true
}

// String returns the size in the largest unit that shows it exactly, such as "1MiB".
func (s Size) String() string {
	best, shown := int64(1), ""
	for _, u := range sizeUnits {
		if u.bytes > best && s != 0 && int64(s)%u.bytes == 0 {
			best, shown = u.bytes, u.suffix
		}
	}
	return strconv.FormatInt(int64(s)/best, 10) + shown
}

// UnmarshalText reads what ParseSize does.
func (s *Size) UnmarshalText(text []byte) (err error) {
	*s, err = ParseSize(string(text))
	return err
}

// MarshalText returns what String does.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
