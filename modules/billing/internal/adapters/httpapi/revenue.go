package httpapi

import (
	"context"

	"github.com/omnistack/omnistack/platform/httpserver"
)

// Revenue is how the product earns, as administrators see it.
type Revenue struct {
	Active          int64          `json:"active" doc:"Subscriptions that are paid for"`
	Trialing        int64          `json:"trialing"`
	PastDue         int64          `json:"past_due" doc:"Subscriptions with a late payment"`
	Ended           int64          `json:"ended_30_days" doc:"Subscriptions that ended within 30 days"`
	Churn           float64        `json:"churn_30_days" doc:"The part of the paid ones that those are, from 0 to 1"`
	Monthly         []MonthlyMoney `json:"monthly" nullable:"false" doc:"What active subscriptions bring a month, a yearly one a twelfth of its price; by currency"`
	PaidTwice       int64          `json:"paid_twice" doc:"Subscriptions beside another one of the same user"`
	UnknownPrices   int64          `json:"unknown_prices" doc:"Active subscriptions at a price that is in no plan, which carry nothing"`
	WebhooksWaiting int64          `json:"webhooks_waiting"`
}

// MonthlyMoney is an amount a month.
type MonthlyMoney struct {
	Amount   int64  `json:"amount" doc:"In the currency's smallest unit"`
	Currency string `json:"currency" doc:"ISO 4217, in small letters"`
}

func (a *API) revenue(ctx context.Context, _ *struct{}) (*httpserver.Object[Revenue], error) {
	earns, err := a.app.Revenue(ctx)
	if err != nil {
		return nil, err
	}
	shown := Revenue{
		Active: earns.Active, Trialing: earns.Trial, PastDue: earns.PastDue, Ended: earns.Ended, Churn: earns.Churn, Monthly: []MonthlyMoney{},
		PaidTwice: earns.Extra, UnknownPrices: earns.Unknown, WebhooksWaiting: earns.Waiting,
	}
	for _, money := range earns.Monthly {
		shown.Monthly = append(shown.Monthly, MonthlyMoney(money))
	}
	return &httpserver.Object[Revenue]{Body: shown}, nil
}
