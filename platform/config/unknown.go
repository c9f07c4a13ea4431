package config

import (
	"regexp"
	"slices"
	"strings"
)

// foreignPrefixes belong to other tools too, which read names of their own from the process environment.
var foreignPrefixes = []string{"AWS_", "OTEL_"}

// clusterName matches what Kubernetes sets for every service it knows, whatever we call our settings.
var clusterName = regexp.MustCompile(`_SERVICE_HOST$|_SERVICE_PORT(_\w+)?$|_PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?$`)

// warnUnknown warns about variables that look like settings and aren't. Values are not shown: they may be secrets under
// a misspelt name.
func (l *loader) warnUnknown() {
	names := map[string]bool{environmentName: true}
	prefixes := map[string]bool{}
	for _, f := range l.fields {
		names[f.Name] = true
		if f.Secret {
			names[f.Name+fileSuffix] = true
		}
		if first, _, ok := strings.Cut(f.Name, "_"); ok {
			prefixes[first+"_"] = true
		}
	}
	for _, layer := range l.layers {
		for _, name := range layer.vars.Keys() {
			if name == "" || names[name] {
				continue
			}
			near := nearest(name, names)
			if layer.source == sourceEnvironment && near == "" {
				first, _, _ := strings.Cut(name, "_")
				foreign := slices.Contains(foreignPrefixes, first+"_") || clusterName.MatchString(name)
				if foreign || !prefixes[first+"_"] {
					continue
				}
			}
			message := "is not a setting, and does nothing"
			if near != "" {
				message += "; did you mean " + near + "?"
			}
			l.warnings = append(l.warnings, Problem{Name: name, Message: message + " (" + layer.source + ")"})
		}
	}
}

// nearest returns the known name that name is probably a slip of, or "". Short names are near to too much.
func nearest(name string, names map[string]bool) string {
	upper := strings.ToUpper(name)
	best, bestDistance := "", 3
	for known := range names {
		distance := editDistance(upper, known)
		closer := distance < bestDistance || distance == bestDistance && known < best
		if closer && (distance == 0 || min(len(name), len(known)) >= 4*distance+2) {
			best, bestDistance = known, distance
		}
	}
	return best
}

// editDistance counts the letters to add, drop, change or swap with their neighbour to get from a to b.
func editDistance(a, b string) int {
	var before []int // the row two above
	above := make([]int, len(b)+1)
	for j := range above {
		above[j] = j
	}
	for i := range len(a) {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			change := above[j]
			if a[i] != b[j] {
				change++
			}
			row[j+1] = min(change, above[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, above = above, row
	}
	return above[len(b)]
}
