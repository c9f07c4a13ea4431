// Package templates makes the texts of mails: for every content a pair of files in mails, the plain text (.txt) and the
// HTML (.html), both within one layout.
//
// The text file defines "subject", one line, and "lead", the sentence that inboxes show beside the subject and with which
// both texts begin. Both files define "body", what else there is to say. All are compiled, and rendered, at the start.
package templates

import (
	"embed"
	"fmt"
	html "html/template"
	"io/fs"
	"strings"
	text "text/template"
	"unicode/utf8"

	"github.com/omnistack/omnistack/modules/notifications/internal/app"
	"github.com/omnistack/omnistack/modules/notifications/internal/domain"
	"github.com/omnistack/omnistack/platform/errs"
)

//go:embed layout.html layout.txt mails
var files embed.FS

// Templates renders mails.
type Templates struct{ pairs map[string]pair }

// pair is the templates of one content, each with its layout around it.
type pair struct {
	text *text.Template
	html *html.Template
}

var _ app.Renderer = (*Templates)(nil)

// New compiles the templates and tries each with nothing and with all that it can say, so that a template that is missing
// or asks for what its content doesn't have is an error here, and never a mail with a hole.
func New() (*Templates, error) { return compileAll(files) }

func compileAll(from fs.FS) (*Templates, error) {
	t := &Templates{pairs: map[string]pair{}}
	for _, content := range domain.Contents() {
		compiled, err := compile(from, content.Template())
		if err != nil {
			return nil, fmt.Errorf("the template %s: %w", content.Template(), err)
		}
		t.pairs[content.Template()] = compiled
	}
	for _, content := range domain.Contents() {
		if err := t.try(content); err != nil {
			return nil, fmt.Errorf("the template %s: %w", content.Template(), err)
		}
	}
	return t, nil
}

func compile(from fs.FS, name string) (p pair, err error) {
	const strict = "missingkey=error"
	p.text, err = text.New("layout.txt").Option(strict).Funcs(functions).ParseFS(from, "layout.txt", "mails/"+name+".txt")
	if err != nil {
		return p, err
	}
	p.html, err = html.New("layout.html").Option(strict).Funcs(functions).ParseFS(from, "layout.html", "mails/"+name+".html")
	return p, err
}

// try renders a content that is empty and one that is full.
func (t *Templates) try(empty domain.Content) error {
	if _, _, _, err := t.execute(empty, domain.Frame{}); err != nil {
		return err
	}
	for _, full := range examples() {
		if full.Template() == empty.Template() {
			_, _, _, err := t.Render(full, domain.Frame{Product: "Acme", Home: "https://example.com", Unsubscribe: "https://example.com/u"})
			return err
		}
	}
	return errs.New(errs.Internal, "There is no example to try it with")
}

// Render returns the content within the layout: a subject of one line, the HTML and the plain text. What people wrote is
// shown as they wrote it, but can't pass for a part of the mail. A link that doesn't lead to a web page is errs.Internal, as
// is a content without a template; no error holds a content.
func (t *Templates) Render(content domain.Content, frame domain.Frame) (subject, html, text string, err error) {
	if content, err = tidy(content); err != nil {
		return "", "", "", err
	}
	if frame, err = tidyFrame(frame); err != nil {
		return "", "", "", err
	}
	return t.execute(content, frame)
}

// view is what the templates see.
type view struct {
	Content       domain.Content
	Frame         domain.Frame
	Subject, Lead string // once they are made; the subject is the heading of both texts too
}

func (t *Templates) execute(content domain.Content, frame domain.Frame) (subject, html, text string, err error) {
	p, known := t.pairs[content.Template()]
	if !known {
		return "", "", "", errs.New(errs.Internal, "The mail has no template").With("template", content.Template())
	}
	seen := view{Content: content, Frame: frame}
	var out strings.Builder
	if err := p.text.ExecuteTemplate(&out, "subject", seen); err != nil {
		return "", "", "", err
	}
	seen.Subject = spaced(out.String())
	out.Reset()
	if err := p.text.ExecuteTemplate(&out, "lead", seen); err != nil {
		return "", "", "", err
	}
	seen.Lead = spaced(out.String())
	subject = cut(line(seen.Subject), subjectLength)
	if subject == "" || seen.Lead == "" {
		return "", "", "", errs.New(errs.Internal, "The mail would say nothing").With("template", content.Template())
	}
	out.Reset()
	if err := p.html.Execute(&out, seen); err != nil {
		return "", "", "", err
	}
	html = out.String()
	out.Reset()
	if err := p.text.Execute(&out, seen); err != nil {
		return "", "", "", err
	}
	return subject, html, wrap(out.String()), nil
}

// functions are what templates can call.
var functions = map[string]any{
	"day":    day,
	"moment": moment,
	"button": func(link, label string) button { return button{link, label} },
	"lines":  func(text string) []string { return strings.Split(text, "\n") },
	"quote":  quote,
	"row":    row,
	"rule":   func(above string) string { return strings.Repeat("=", min(utf8.RuneCountInString(above), width)) },
}

// button is what the HTML layout's template of that name shows.
type button struct{ Link, Label string }
