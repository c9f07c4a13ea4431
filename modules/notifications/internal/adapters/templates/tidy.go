package templates

import (
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/omnistack/omnistack/modules/notifications/internal/domain"
	"github.com/omnistack/omnistack/platform/errs"
)

// How many characters a subject, a name or alike in a text, and a note can have. What is longer is cut.
const (
	subjectLength = 120
	nameLength    = 100
	noteLength    = 500
)

// tidy returns the content with texts that can't pass for a part of the mail, and with its links proved.
func tidy(content domain.Content) (domain.Content, error) {
	var err error
	switch c := content.(type) {
	case domain.Welcome:
		c.Name = name(c.Name)
		return c, nil
	case domain.PasswordReset:
		c.Link, err = link(c.Link)
		return c, err
	case domain.DataExportReady:
		c.Link, err = link(c.Link)
		return c, err
	case domain.DailyReport:
		c.Sections = tidySections(c.Sections)
		return c, nil
	case domain.Contact:
		c.Name, c.Subject, c.Email, c.Message = name(c.Name), name(c.Subject), line(c.Email), paragraphs(c.Message)
		return c, nil
	case domain.ProjectDeleted:
		c.Name = name(c.Name)
		return c, nil
	case domain.Note:
		c.Subject, c.Text = name(c.Subject), inert(c.Text, noteLength)
		return c, nil
	case domain.AccountSuspended, domain.AccountReactivated:
		return c, nil
	case domain.RoleChanged:
		c.Role = name(c.Role)
		return c, nil
	case domain.IdentityLinked:
		c.Issuer = name(c.Issuer)
		return c, nil
	case domain.SubscriptionChanged:
		c.Plan, c.Status = name(c.Plan), name(c.Status)
		return c, nil
	case domain.PaymentFailed:
		c.Amount = name(c.Amount)
		return c, nil
	case domain.TrialEnding:
		c.Plan = name(c.Plan)
		return c, nil
	}
	return nil, errs.New(errs.Internal, "The mail has no template").With("content", fmt.Sprintf("%T", content))
}

func tidySections(sections []domain.ReportSection) []domain.ReportSection {
	tidied := make([]domain.ReportSection, len(sections))
	for i, section := range sections {
		tidied[i].Title = name(section.Title)
		for _, figure := range section.Figures {
			tidied[i].Figures = append(tidied[i].Figures, domain.ReportFigure{Name: name(figure.Name), Value: name(figure.Value)})
		}
	}
	return tidied
}

func tidyFrame(frame domain.Frame) (domain.Frame, error) {
	var err error
	frame.Product = cut(line(frame.Product), nameLength)
	if frame.Home != "" {
		if frame.Home, err = link(frame.Home); err != nil {
			return frame, err
		}
	}
	if frame.Unsubscribe != "" {
		frame.Unsubscribe, err = link(frame.Unsubscribe)
	}
	return frame, err
}

// link returns the address if it is of a web page. An error doesn't tell it: who has it may use it.
func link(text string) (string, error) {
	to, err := url.Parse(text)
	if err != nil || to.Scheme != "https" && to.Scheme != "http" || to.Hostname() == "" || to.User != nil || text != printable(text) {
		return "", errs.New(errs.Internal, "A link of the mail doesn't lead to a web page")
	}
	return to.String(), nil
}

// name returns a short text that somebody chose, as inert does.
func name(text string) string { return inert(text, nameLength) }

// inert returns a text that somebody chose, on one line, so that no mail program makes a link of it: whoever can choose
// a name could otherwise have us send a link of theirs to anybody.
func inert(text string, length int) string {
	var out strings.Builder
	before := ' '
	for _, r := range cut(line(text), length) {
		if strings.ContainsRune(".。．｡@:/", before) && (unicode.IsLetter(r) || r == '/') {
			out.WriteRune(gap)
		}
		out.WriteRune(r)
		before = r
	}
	return out.String()
}

// gap is a space without a width, which keeps the parts of an address apart.
const gap = '\u200b'

// line returns the text on one line, without what printable leaves out.
func line(text string) string { return spaced(printable(text)) }

// spaced returns the words of the text with one space between them.
func spaced(text string) string { return strings.Join(strings.Fields(text), " ") }

// paragraphs returns the text with its lines, but no more than one empty one in a row.
func paragraphs(text string) string {
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u2028", "\n", "\u2029", "\n\n").Replace(text)
	var lines []string
	for each := range strings.SplitSeq(text, "\n") {
		each = strings.TrimRightFunc(printable(each), unicode.IsSpace)
		if each == "" && (len(lines) == 0 || lines[len(lines)-1] == "") {
			continue
		}
		lines = append(lines, each)
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n")
}

// printable returns the text without what can't be seen, or makes other text read otherwise than it is written: controls
// become spaces; what orders, joins or hides characters goes, but for the two joiners that scripts and emoji need.
func printable(text string) string {
	seen := false
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '\u200c' || r == '\u200d':
			return r
		case unicode.IsSpace(r) || unicode.IsControl(r):
			return ' '
		case unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r):
			return -1
		}
		seen = true
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
	if !seen {
		return ""
	}
	return text
}

// cut returns the beginning of a text that is longer than it may be.
func cut(text string, length int) string {
	if utf8.RuneCountInString(text) <= length {
		return text
	}
	return strings.TrimSpace(string([]rune(text)[:length-1])) + "…"
}

// width is how long the lines of a plain text may be, unless a word is longer.
const width = 72

// wrap breaks the lines of a plain text between words, but for those that are quoted, which are broken already.
func wrap(text string) string {
	var out strings.Builder
	for each := range strings.Lines(strings.TrimSpace(text) + "\n") {
		each = strings.TrimRight(each, " \n")
		if strings.HasPrefix(each, "> ") {
			out.WriteString(each + "\n")
			continue
		}
		out.WriteString(strings.Join(fold(each, width), "\n") + "\n")
	}
	return out.String()
}

// fold returns the text as lines of at most that many characters, or of one word that is longer.
func fold(text string, width int) []string {
	if utf8.RuneCountInString(text) <= width {
		return []string{text}
	}
	var lines []string
	current := ""
	for word := range strings.FieldsSeq(text) {
		switch {
		case current == "":
			current = word
		case utf8.RuneCountInString(current)+1+utf8.RuneCountInString(word) <= width:
			current += " " + word
		default:
			lines = append(lines, current)
			current = word
		}
	}
	return append(lines, current)
}

// quote returns a text of several lines marked as somebody else's, line by line.
func quote(text string) string {
	var out []string
	for each := range strings.SplitSeq(text, "\n") {
		for _, part := range fold(each, width-2) {
			out = append(out, strings.TrimRight("> "+part, " "))
		}
	}
	return strings.Join(out, "\n")
}

// row returns a name and a value with the values of all rows below each other.
func row(name, value string) string { return fmt.Sprintf("  %-32s %s", name, value) }

func day(at time.Time) string    { return at.UTC().Format("2 January 2006") }
func moment(at time.Time) string { return at.UTC().Format("2 January 2006, 15:04 UTC") }
