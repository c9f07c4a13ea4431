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
	Churn   float64 // the part that ended within ChurnDays of those that were paid for in that time; 0 when there was none
	Unknown int64   // active subscriptions with a price that is in no plan: they are paid, and carry nothing
	Monthly []Money // what active subscriptions bring a month, a yearly one a twelfth of its price; by currency
}

// Money is an amount in a currency's smallest unit.
type Money struct {
	Amount   int64
	Currency string // ISO 4217, in small letters
}

// ChurnDays is for how long a subscription that ended counts as lost.
const ChurnDays = 30

// Revenue returns how the product earns now.
func (a *App) Revenue(ctx context.Context) (Revenue, error) {
	tally, err := a.Store.Tally(ctx, a.Clock.Now().AddDate(0, 0, -ChurnDays))
	if err != nil {
		return Revenue{}, err
	}
	revenue, monthly := Revenue{Tally: tally}, map[string]int64{}
	if paid := tally.Active + tally.PastDue + tally.Ended; paid > 0 {
		revenue.Churn = float64(tally.Ended) / float64(paid)
	}
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
