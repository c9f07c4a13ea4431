//scaffold:needs projects

package chaos

import (
	"fmt"
	"strings"
	"time"

	"github.com/omnistack/omnistack/platform/database"
)

// report is the table of what the scenarios came to.
type report struct {
	began time.Time
	lines []*line
}

// line is one scenario.
type line struct {
	engine   string
	by       string
	scenario string
	counts
}

// line adds a line, which is filled in when its scenario has ended.
func (r *report) line(engine database.Engine, by road, scenario string) *line {
	l := &line{engine: string(engine), by: string(by), scenario: scenario}
	r.lines = append(r.lines, l)
	return l
}

const lineFormat = "%-8s %-9s %-37s %5v %9v %4v %5v %7v %20v %10v %7v %6v\n"

// String returns the table.
func (r *report) String() string {
	var text strings.Builder
	fmt.Fprintf(&text, lineFormat, "database", "transport", "scenario", "times", "committed", "lost", "twice", "phantom",
		"acknowledged missing", "unfinished", "repeats", "time")
	all := line{engine: "all", counts: counts{took: time.Since(r.began)}}
	for _, l := range r.lines {
		l.write(&text)
		all.times += l.times
		all.committed += l.committed
		all.lost += l.lost
		all.twice += l.twice
		all.phantom += l.phantom
		all.missing += l.missing
		all.unfinished += l.unfinished
		all.repeats += l.repeats
	}
	all.write(&text)
	return text.String()
}

func (l *line) write(text *strings.Builder) {
	took := "-" // it came to no end
	if l.took > 0 {
		took = l.took.Round(time.Second).String()
	}
	fmt.Fprintf(text, lineFormat, l.engine, l.by, l.scenario, l.times, l.committed, l.lost, l.twice, l.phantom, l.missing,
		l.unfinished, l.repeats, took)
}
