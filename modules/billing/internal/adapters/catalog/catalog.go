// Package catalog reads the plans from a file of YAML.
package catalog

import (
	"bytes"
	_ "embed"
	"fmt"
	"os"

	"go.yaml.in/yaml/v3"

	"github.com/omnistack/omnistack/modules/billing/internal/domain"
)

//go:embed plans.yaml
var builtIn []byte

// file is what stands in a file of plans.
type file struct {
	Plans []struct {
		Name       string `yaml:"name"`
		Projects   int64  `yaml:"projects"`
		StorageMiB int64  `yaml:"storage_mib"`
		FileMiB    *int64 `yaml:"file_mib"` // nil for any size: there were plans before there was this limit
		RateFactor int    `yaml:"rate_factor"`
		AI         struct {
			Budget int64    `yaml:"budget"`
			Routes []string `yaml:"routes"`
		} `yaml:"ai"`
		TrialDays int              `yaml:"trial_days"`
		Prices    map[string]price `yaml:"prices"`
	} `yaml:"plans"`
}

type price struct {
	ID       string `yaml:"id"`
	Amount   int64  `yaml:"amount"`
	Currency string `yaml:"currency"`
}

// BuiltIn returns the built-in plans, with the prices of the simulator.
func BuiltIn() (domain.Catalog, error) { return read(builtIn) }

// Sold returns the built-in plans, of which pro alone is for sale, for the prices of these ids. An empty one isn't offered.
func Sold(monthly, yearly string) (domain.Catalog, error) {
	catalog, err := BuiltIn()
	if err != nil {
		return domain.Catalog{}, err
	}
	plans := catalog.Plans()
	for i := range plans {
		plans[i].Prices = nil
		if plans[i].Name != "pro" {
			continue
		}
		prices := map[domain.Interval]domain.Price{}
		for interval, priceID := range map[domain.Interval]string{domain.Monthly: monthly, domain.Yearly: yearly} {
			if priceID != "" {
				prices[interval] = domain.Price{ID: priceID}
			}
		}
		plans[i].Prices = prices
	}
	return domain.NewCatalog(plans)
}

// Read returns the plans of a file. One that isn't there, can't be read or makes no sense is an error.
func Read(path string) (domain.Catalog, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return domain.Catalog{}, err
	}
	catalog, err := read(text)
	if err != nil {
		return domain.Catalog{}, fmt.Errorf("%s: %w", path, err)
	}
	return catalog, nil
}

func read(text []byte) (domain.Catalog, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	var written file
	if err := decoder.Decode(&written); err != nil {
		return domain.Catalog{}, err
	}
	var plans []domain.Plan
	for _, plan := range written.Plans {
		made := domain.Plan{
			Name: plan.Name, Projects: plan.Projects, StorageBytes: bytesOf(plan.StorageMiB), FileBytes: domain.Unlimited,
			RateFactor: plan.RateFactor, AIBudget: plan.AI.Budget, AIRoutes: plan.AI.Routes, TrialDays: plan.TrialDays, Prices: map[domain.Interval]domain.Price{},
		}
		if plan.FileMiB != nil {
			made.FileBytes = bytesOf(*plan.FileMiB)
		}
		for interval, price := range plan.Prices {
			made.Prices[domain.Interval(interval)] = domain.Price(price)
		}
		plans = append(plans, made)
	}
	return domain.NewCatalog(plans)
}

// bytesOf returns a number of MiB in bytes; a limit that isn't one stays so.
func bytesOf(mib int64) int64 {
	if mib < 0 {
		return mib
	}
	return mib << 20
}
