package httpapi

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"html/template"

	"github.com/omnistack/omnistack/modules/notifications/internal/domain"
	"github.com/omnistack/omnistack/platform/httpserver"
)

type unsubscribeInput struct {
	Token string `path:"token" maxLength:"1000"`
}

// ask shows a button. It changes nothing: scanners of mail open every link.
func (a *API) ask(ctx context.Context, in *unsubscribeInput) (*httpserver.Page, error) {
	subscription, err := a.app.ReadSubscription(ctx, in.Token)
	if err != nil {
		return nil, err
	}
	return a.page(subscription.Kind, false)
}

// unsubscribe is for the button and for programs that read mail (RFC 8058). They say List-Unsubscribe=One-Click in the
// body, which isn't read: the token says it all.
func (a *API) unsubscribe(ctx context.Context, in *unsubscribeInput) (httpserver.Commit[httpserver.Page], error) {
	subscription, err := a.app.ReadSubscription(ctx, in.Token)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) (*httpserver.Page, error) {
		if err := a.app.Unsubscribe(ctx, subscription); err != nil {
			return nil, err
		}
		return a.page(subscription.Kind, true)
	}, nil
}

// style is the look of the page. The policy names it by its hash, so that nothing else applies.
const style = `body{font:16px/1.5 system-ui,sans-serif;max-width:32rem;margin:15vh auto;padding:0 1rem;color:#222;background:#fff}` +
	`button{font:inherit;padding:.5rem 1rem;border:0;border-radius:.375rem;color:#fff;background:#1f2937;cursor:pointer}`

// pageTemplate has no link: a page that is open may be read by whoever passes by.
var pageTemplate = template.Must(template.New("unsubscribe").Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex">
<title>{{.Product}}</title>
<style>{{.Style}}</style>
</head>
<body>
<h1>{{.Product}}</h1>
{{if .Done}}<p>You get no more mails about {{.About}}.</p>
{{else}}<p>Do you want no more mails about {{.About}}?</p>
<form method="post"><button type="submit">Stop these mails</button></form>
{{end}}</body>
</html>
`))

// page returns the page that asks whether to end mails of the kind, or says that it is done.
func (a *API) page(kind string, done bool) (*httpserver.Page, error) {
	var body bytes.Buffer
	err := pageTemplate.Execute(&body, struct {
		Product, About string
		Style          template.CSS
		Done           bool
	}{a.product, about(kind), style, done})
	if err != nil {
		return nil, err
	}
	hash := sha256.Sum256([]byte(style))
	return &httpserver.Page{
		Media: "text/html; charset=utf-8",
		Policy: "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) +
			"'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
		Body: body.Bytes(),
	}, nil
}

// about says in words what a kind that can be switched off is about.
func about(kind string) string {
	switch kind {
	case domain.KindWelcome:
		return "how to begin"
	case domain.KindProjectDeleted:
		return "projects that were deleted"
	case domain.KindSubscription:
		return "your subscription"
	case domain.KindDailyReport:
		return "what happened the day before"
	}
	return kind
}
