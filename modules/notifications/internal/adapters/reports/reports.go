// Package reports asks every module for its part of the daily report.
package reports

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/omnistack/omnistack/modules/notifications/internal/app"
	"github.com/omnistack/omnistack/modules/notifications/internal/domain"
	"github.com/omnistack/omnistack/platform/module"
)

// Modules is an app.Reports that asks the modules that a function names, anew every time.
type Modules func() []module.Descriptor

var _ app.Reports = Modules(nil)

// Sections returns the section of every module that has something to say. A module that can't say it fails the report,
// which is tried again: half a report would look like a quiet day.
func (m Modules) Sections(ctx context.Context, from, to time.Time) ([]domain.ReportSection, error) {
	var sections []domain.ReportSection
	for _, described := range m() {
		if described.Reporter == nil {
			continue
		}
		figures, err := described.Reporter.Report(ctx, from, to)
		if err != nil {
			return nil, fmt.Errorf("the report of %s: %w", described.Name, err)
		}
		section := domain.ReportSection{Title: title(described.Name)}
		for _, figure := range figures {
			section.Figures = append(section.Figures, domain.ReportFigure{Name: figure.Name, Value: figure.Value})
		}
		if len(section.Figures) > 0 {
			sections = append(sections, section)
		}
	}
	return sections, nil
}

// title returns the name of a module as a headline.
func title(name string) string { return strings.ToUpper(name[:1]) + name[1:] }
