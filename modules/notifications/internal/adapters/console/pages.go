package console

import (
	"bytes"
	"context"
	"embed"
	"html/template"
	"net/http"
	"regexp"
	"strings"

	"github.com/omnistack/omnistack/platform/config"
	"github.com/omnistack/omnistack/platform/httpserver"
)

//go:embed pages/*.html
var sources embed.FS

const list = "/dev/mail"

// The policies of the pages. A mail is shown as a mail program shows it: styles and pictures, no script, no form. Its own
// policy puts it into a sandbox even when it is opened outside of our frame; links lead to new tabs, which are free of it.
const (
	pagePolicy = "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	mailPolicy = "default-src 'none'; style-src 'unsafe-inline'; img-src http: https: data:; base-uri 'none'; form-action 'none'; " +
		"frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox"
)

// pages answers with the kept mails.
type pages struct {
	mailer    *Mailer
	templates *template.Template
}

type oneInput struct {
	Number int `path:"number" minimum:"1"`
}

// Register adds the pages to the router: the list of mails, one mail, and the HTML of one. They are for clients on this
// machine, and exist in the environments local and test only.
func (m *Mailer) Register(r *httpserver.Router, environment config.Environment) {
	if !environment.OnDesk() {
		return
	}
	p := &pages{mailer: m, templates: template.Must(template.ParseFS(sources, "pages/*.html"))}
	route := func(path, summary string) httpserver.Route {
		return httpserver.Route{
			Method: http.MethodGet, Path: path, AtRoot: true, Guard: httpserver.Public, Local: true, Hidden: true, Summary: summary,
		}
	}
	httpserver.Query(r, route(list, "The mails that were shown instead of sent"), p.list)
	httpserver.Query(r, route(list+"/{number}", "One of the mails"), p.one)
	httpserver.Query(r, route(list+"/{number}/html", "The HTML of one of the mails"), p.html)
}

func (p *pages) list(context.Context, *struct{}) (*httpserver.Page, error) {
	return p.render("list.html", p.mailer.all())
}

func (p *pages) one(_ context.Context, in *oneInput) (*httpserver.Page, error) {
	one, err := p.mailer.find(in.Number)
	if err != nil {
		return nil, err
	}
	return p.render("mail.html", struct {
		shown

		Parts []part
	}{one, parts(one.Text)})
}

func (p *pages) html(_ context.Context, in *oneInput) (*httpserver.Page, error) {
	one, err := p.mailer.find(in.Number)
	if err != nil {
		return nil, err
	}
	return &httpserver.Page{Media: "text/html; charset=utf-8", Policy: mailPolicy, Body: []byte(inNewTabs(one.HTML))}, nil
}

func (p *pages) render(name string, data any) (*httpserver.Page, error) {
	var body bytes.Buffer
	if err := p.templates.ExecuteTemplate(&body, name, data); err != nil {
		return nil, err
	}
	return &httpserver.Page{Media: "text/html; charset=utf-8", Policy: pagePolicy, Body: body.Bytes()}, nil
}

var head = regexp.MustCompile(`(?i)<head[^>]*>`)

// inNewTabs returns the HTML with its links made to open in new tabs: in the frame they would be stuck in its sandbox.
func inNewTabs(html string) string {
	const base = `<base target="_blank">`
	if at := head.FindStringIndex(html); at != nil {
		return html[:at[1]] + base + html[at[1]:]
	}
	return base + html
}

// part is a piece of a plain text, a link or not.
type part struct{ Text, Link string }

var links = regexp.MustCompile(`https?://[^\s<>"]+`)

// parts parts the links in a plain text from the rest.
func parts(text string) []part {
	var all []part
	rest := 0
	for _, at := range links.FindAllStringIndex(text, -1) {
		link := strings.TrimRight(text[at[0]:at[1]], ".,;:!?)'")
		all = append(all, part{Text: text[rest:at[0]]}, part{Link: link})
		rest = at[0] + len(link)
	}
	return append(all, part{Text: text[rest:]})
}
