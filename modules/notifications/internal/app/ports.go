// Package app holds the use cases of notifications, one file each, and the ports they drive.
package app

import (
	"context"

	"github.com/omnistack/omnistack/modules/notifications/internal/domain"
)

// Mailer carries mail. There is one adapter for each way that mail can leave.
type Mailer interface {
	// Send hands a mail over to whoever delivers it, and returns the id under which they know it, empty if they give none.
	// An error whose errs.Kind isn't Retryable is permanent: sending the same mail again is of no use. errs.External,
	// errs.RateLimited, errs.Unavailable and errs.Timeout are transient. Its text holds no address and no content.
	Send(ctx context.Context, mail domain.Mail) (receipt string, err error)
}

// Renderer makes the texts of mails.
type Renderer interface {
	// Render returns the content within the layout: a subject of one line, the HTML and the plain text.
	Render(content domain.Content, frame domain.Frame) (subject, html, text string, err error)
}
