package notifications

import (
	"context"

	"github.com/omnistack/omnistack/platform/errs"
)

// Null is the port of a product that writes to nobody, which is what removing the module leaves: every mail is refused as
// errs.Unavailable, so that none is thought to be on its way.
type Null struct{}

var _ Mail = Null{}

var errNobodyWrites = errs.New(errs.Unavailable, "This product sends no mail")

// Send refuses.
func (Null) Send(context.Context, string, Message) error { return errNobodyWrites }

// SendRaw refuses.
func (Null) SendRaw(context.Context, string, RawMessage) error { return errNobodyWrites }

// SendPasswordReset refuses.
func (Null) SendPasswordReset(context.Context, string, PasswordReset) error { return errNobodyWrites }
