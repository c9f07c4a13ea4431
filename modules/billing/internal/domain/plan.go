// Package domain holds what a plan is, and how a user's account follows from what Stripe says. It does no I/O and knows no
// clock.
package domain

import (
	"fmt"
	"slices"
)

// Free is the name of the plan of whoever pays nothing. Every catalogue has it.
const Free = "free"

// Unlimited is a limit that isn't one.
const Unlimited = -1

// Interval is how often is paid.
type Interval string

// The intervals.
const (
	Monthly Interval = "monthly"
	Yearly  Interval = "yearly"
)

// Plan is what people may choose, and what it includes.
type Plan struct {
	Name         string
	Projects     int64    // Unlimited for any number
	StorageBytes int64    // Unlimited for any amount
	FileBytes    int64    // of one file; Unlimited for any size
	RateFactor   int      // how many times the limit of calls
	AIBudget     int64    // a month, in US cents; Unlimited for any amount
	AIRoutes     []string // "*" for all
	TrialDays    int      // 0 for none
	Prices       map[Interval]Price
}

// Price is what a plan costs for an interval.
type Price struct {
	ID       string // at Stripe
	Amount   int64  // in the currency's smallest unit; 0 when only Stripe knows
	Currency string // ISO 4217, in small letters; empty when only Stripe knows
}

// Catalog is the plans there are. Its zero value has none; NewCatalog makes a good one.
type Catalog struct{ plans []Plan }

// NewCatalog returns a catalogue of the plans in that order, or an error that says what is wrong with them: a plan or a
// price that is there twice, no free plan, one that costs something, or a limit that makes no sense.
func NewCatalog(plans []Plan) (Catalog, error) {
	names, prices := map[string]bool{}, map[string]bool{}
	for _, plan := range plans {
		if plan.Name == "" || names[plan.Name] {
			return Catalog{}, fmt.Errorf("the plan %q has no name, or that of another", plan.Name)
		}
		names[plan.Name] = true
		if plan.Projects < Unlimited || plan.StorageBytes < Unlimited || plan.FileBytes < Unlimited || plan.AIBudget < Unlimited {
			return Catalog{}, fmt.Errorf("the plan %q has a limit below -1, which is none at all", plan.Name)
		}
		if plan.RateFactor < 1 || plan.RateFactor > 1000 {
			return Catalog{}, fmt.Errorf("the plan %q has a rate factor that isn't from 1 to 1000", plan.Name)
		}
		if plan.TrialDays < 0 || plan.TrialDays > 730 { // Stripe's bound
			return Catalog{}, fmt.Errorf("the plan %q has a trial that isn't of 0 to 730 days", plan.Name)
		}
		if plan.Name == Free && len(plan.Prices) > 0 {
			return Catalog{}, fmt.Errorf("the plan %q has a price", plan.Name)
		}
		for interval, price := range plan.Prices {
			if interval != Monthly && interval != Yearly {
				return Catalog{}, fmt.Errorf("the plan %q has a price for the interval %q: it must be monthly or yearly", plan.Name, interval)
			}
			if price.ID == "" || prices[price.ID] {
				return Catalog{}, fmt.Errorf("the plan %q has a price without id, or with that of another", plan.Name)
			}
			if price.Amount < 0 || (price.Amount > 0) != (price.Currency != "") {
				return Catalog{}, fmt.Errorf("the plan %q has a price with an amount below zero, or with only one of amount and currency", plan.Name)
			}
			prices[price.ID] = true
		}
	}
	if !names[Free] {
		return Catalog{}, fmt.Errorf("there is no plan %q", Free)
	}
	return Catalog{plans: slices.Clone(plans)}, nil
}

// Plans returns the plans in their order.
func (c Catalog) Plans() []Plan { return slices.Clone(c.plans) }

// Plan returns the plan of the name, and whether there is one. Without one it is the free plan.
func (c Catalog) Plan(name string) (plan Plan, found bool) {
	if found := slices.IndexFunc(c.plans, func(plan Plan) bool { return plan.Name == name }); found >= 0 {
		return c.plans[found], true
	}
	if name == Free {
		return Plan{Name: Free, RateFactor: 1}, false
	}
	plan, _ = c.Plan(Free)
	return plan, false
}

// Sold returns the plan and the interval that a price is for, and whether it is for one.
func (c Catalog) Sold(priceID string) (plan string, interval Interval, found bool) {
	for _, plan := range c.plans {
		for interval, price := range plan.Prices {
			if price.ID == priceID {
				return plan.Name, interval, true
			}
		}
	}
	return "", "", false
}
