package app

import (
	"context"
	"maps"
	"slices"

	"github.com/omnistack/omnistack/modules/billing/internal/domain"
)

// Revenue is how the product earns now.
type Revenue struct {
	Tally
	Unknown int64   // active subscriptions with a price that is in no plan: they are paid, and carry nothing
	Monthly []Money // what active subscriptions bring a month, a yearly one a twelfth of its price; by currency
}

// Money is an amount in a currency's smallest unit.
type Money struct {
	Amount   int64
	Currency string // ISO 4217, in small letters
}

// Revenue returns how the product earns now.
func (a *App) Revenue(ctx context.Context) (Revenue, error) {
	tally, err := a.Store.Tally(ctx)
	if err != nil {
		return Revenue{}, err
	}
	revenue, monthly := Revenue{Tally: tally}, map[string]int64{}
	for _, sold := range tally.Prices {
		_, interval, known := a.rules.Catalog.Sold(sold.PriceID)
		switch {
		case !known:
			revenue.Unknown += sold.Count
		case interval == domain.Yearly:
			monthly[sold.Currency] += sold.Amount / 12
		default:
			monthly[sold.Currency] += sold.Amount
		}
	}
	for _, currency := range slices.Sorted(maps.Keys(monthly)) {
		revenue.Monthly = append(revenue.Monthly, Money{monthly[currency], currency})
	}
	return revenue, nil
}
