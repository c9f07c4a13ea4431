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

// Feedback reads what a carrier posts about mails that it took. There is one adapter for each carrier that does.
type Feedback interface {
	// Read verifies the signature of a posted body by its headers and returns what it says, nothing for what isn't about
	// an address that failed. A signature or a body that isn't right is errs.Malformed.
	Read(header func(name string) string, body []byte) ([]domain.Feedback, error)
}
