package app

import (
	"context"
	"fmt"

	"github.com/omnistack/omnistack/modules/billing/internal/domain"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/id"
)

// Checkout begins the purchase of a plan and returns the address of the page where it is paid. The same key has the same
// page. A plan that isn't for sale for the interval is errs.Invalid, and a user who has a subscription errs.Conflict. It
// calls what is outside.
func (a *App) Checkout(ctx context.Context, user id.Scope, key, plan string, interval domain.Interval) (url string, err error) {
	if err := a.open(); err != nil {
		return "", err
	}
	offer, there := a.rules.Catalog.Plan(plan)
	price, sold := offer.Prices[interval]
	if !there || !sold {
		return "", errs.InvalidFields(errs.Field{Name: "plan", Message: "isn't for sale for this interval"})
	}
	account, err := a.customer(ctx, user)
	if err != nil {
		return "", err
	}
	checkout := Checkout{User: user, CustomerID: account.CustomerID, PriceID: price.ID}
	if !account.HadTrial {
		checkout.TrialDays = offer.TrialDays
	}
	url, err = a.Stripe.Checkout(ctx, key, checkout)
	return url, known(err)
}

// known returns an error of Stripe's as it is, but for a customer that isn't known there: the client has asked for nothing that
// doesn't exist, we have. It is so with the key of another account.
func known(err error) error {
	if errs.Is(err, errs.NotFound) {
		return errs.New(errs.External, "The payment service doesn't know the customer").With("service", "stripe").Because(err)
	}
	return err
}

// customer returns the account of a user who may buy, and sees to it that there is a customer. Any number of calls at once make
// one: all of them ask Stripe under one key. What Stripe made is the account's before anything can be bought.
func (a *App) customer(ctx context.Context, user id.Scope) (domain.Account, error) {
	account, err := a.Account(ctx, user)
	if err != nil {
		return domain.Account{}, err
	}
	if err := account.MayBuy(); err != nil || account.CustomerID != "" {
		return account, err
	}
	customerID, err := a.Stripe.CreateCustomer(ctx, fmt.Sprintf("customer %d of %s", account.Customers+1, user.User), user)
	if err != nil {
		return domain.Account{}, err
	}
	err = a.Tx.WithinTx(ctx, func(ctx context.Context) error {
		if err := a.Store.AddAccount(ctx, domain.NewAccount(user, a.Clock.Now())); err != nil {
			return err
		}
		if account, err = a.Store.LockAccount(ctx, user); err != nil || account.CustomerID != "" {
			return err
		}
		account.Adopt(customerID, a.Clock.Now())
		if err := a.Store.SaveAccount(ctx, account); err != nil {
			return err
		}
		return a.Events.Publish(ctx, changed(account, false))
	})
	return account, err
}

// Portal returns the address of a page where the user changes the subscription and what it is paid with. Who never bought
// anything is errs.Conflict. It calls what is outside.
func (a *App) Portal(ctx context.Context, user id.Scope) (url string, err error) {
	if err := a.open(); err != nil {
		return "", err
	}
	account, err := a.Account(ctx, user)
	if err != nil {
		return "", err
	}
	if account.CustomerID == "" {
		return "", errs.New(errs.Conflict, "There is nothing to manage yet: begin with a checkout")
	}
	url, err = a.Stripe.Portal(ctx, account.CustomerID)
	return url, known(err)
}
