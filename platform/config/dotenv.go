package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/knadh/koanf/parsers/dotenv"
)

// content is a file that was read before, as a koanf provider.
type content []byte

func (c content) ReadBytes() ([]byte, error) { return c, nil }

func (c content) Read() (map[string]any, error) { return nil, errors.New("content is read as bytes") }

// readDotenv reads one .env file. A missing file is an empty layer.
func readDotenv(dir, name string) (read layer, found bool, problems []Problem) {
	read = layer{name, newVars()}
	text, err := os.ReadFile(filepath.Join(dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return read, false, nil
	}
	if err != nil {
		return read, true, []Problem{{Name: name, Message: "must be a file that can be read"}}
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	if err := read.vars.Load(content(text), dotenv.Parser()); err != nil {
		// The parser's error repeats the rest of the file, secrets included.
		return read, true, []Problem{{Name: name, Message: fmt.Sprintf(
			"must hold lines of the form NAME=value; line %d is not one, or opens a quote that nothing closes", badLine(text))}}
	}
	return read, true, lostDollars(read, text)
}

// badLine returns the number of the line that stops the parser: the one after the longest beginning that parses.
func badLine(text []byte) int {
	lines := bytes.SplitAfter(text, []byte("\n"))
	for end := len(lines) - 1; end > 0; end-- {
		if _, err := dotenv.Parser().Unmarshal(bytes.Join(lines[:end], nil)); err == nil {
			return end + 1
		}
	}
	return 1
}

var (
	assignment = regexp.MustCompile(`(?m)^[ \t]*(?:export[ \t]+)?([A-Za-z0-9_.]+)[ \t]*[=:][ \t]*([^'\s#].*)$`)
	reference  = regexp.MustCompile(`(\\?)\$(?:\(|\{?([A-Z0-9_]+)\}?)`)
	remark     = regexp.MustCompile(`\s#.*$`)
)

// lostDollars finds values in which the parser replaced $NAME by nothing, because the file sets no such name, or dropped
// the dollar sign of "$(". It does so silently, and half a password is hard to find.
func lostDollars(read layer, text []byte) (problems []Problem) {
	for _, line := range assignment.FindAllSubmatch(text, -1) {
		name, value := string(line[1]), string(line[2])
		if !strings.HasPrefix(value, `"`) {
			value = remark.ReplaceAllString(value, "")
		}
		for _, ref := range reference.FindAllStringSubmatch(value, -1) {
			if ref[1] == "" && !read.vars.Exists(ref[2]) {
				problems = append(problems, Problem{Name: name, Message: fmt.Sprintf(
					"must stand in single quotes in %s: a dollar sign stands for another variable otherwise, and the file sets none of that name", read.source)})
				break
			}
		}
	}
	return problems
}
