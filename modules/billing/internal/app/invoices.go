package app

import (
	"context"

	"github.com/omnistack/omnistack/modules/billing/internal/domain"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/page"
)

// Invoices returns a page of the user's invoices, the newest first. It asks nobody outside.
func (a *App) Invoices(ctx context.Context, user id.Scope, request page.Request) (page.Page[domain.Invoice], error) {
	return page.List(a.Cursors, request, []string{"billing invoices", user.User},
		func(invoice domain.Invoice) page.Key { return page.At(invoice.CreatedAt, invoice.ID) },
		func(part page.Window) ([]domain.Invoice, int64, error) { return a.Store.ListInvoices(ctx, user, part) })
}
