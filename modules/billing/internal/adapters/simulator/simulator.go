// Package simulator stands in for Stripe while one develops, and in tests: it speaks as much of Stripe's API (version
// 2024-06-20, https://docs.stripe.com/api) as the product uses, remembers what it was told, shows the pages of the checkout and
// of the portal, lets time pass as fast as one likes, and posts signed events. The product reaches it as it would reach Stripe.
//
// Trouble can be ordered: cards that are declined, an outage, events that come late, twice, in another order or not at all.
package simulator

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/upstream"
)

// Options say where the simulator is, and what it sells.
type Options struct {
	Clock  clock.Clock
	File   string  // where it keeps what happened; empty for nowhere
	Base   string  // the path that it is mounted at, such as "/dev/stripe"; empty for the root
	URL    string  // the same as a browser reaches it
	Key    string  // what calls of the API must bring
	Hook   string  // where events are posted to
	Secret string  // what they are signed with
	Prices []Price // what there is to buy
}

// Price is what a product costs.
type Price struct {
	ID       string
	Product  string // what people read
	Amount   int64  // in the currency's smallest unit
	Currency string // ISO 4217, in small letters
	Yearly   bool   // else monthly
}

// Knobs are the troubles that can be ordered.
type Knobs struct {
	Decline   bool `json:"decline"`   // every card is declined
	Outage    bool `json:"outage"`    // the API answers 503
	Hold      bool `json:"hold"`      // events wait
	Shuffle   bool `json:"shuffle"`   // events are posted in any order
	Duplicate int  `json:"duplicate"` // how many times more each event is posted
	Drop      int  `json:"drop"`      // how many of the next events are never posted
	SlowMS    int  `json:"slow_ms"`   // how long the API thinks, in milliseconds
}

// Simulator is a stand-in for Stripe. It is safe for concurrent use.
type Simulator struct {
	options Options
	prices  map[string]Price
	routes  *http.ServeMux
	poster  *upstream.Client
	wake    chan struct{} // an event may be there to post

	mu    sync.Mutex
	state state
}

// state is all that is remembered.
type state struct {
	Ahead         time.Duration            `json:"ahead"` // how far the time here is before the real one
	Count         int64                    `json:"count"` // of ids
	Knobs         Knobs                    `json:"knobs"`
	Customers     map[string]*customer     `json:"customers"`
	Sessions      map[string]*session      `json:"sessions"`
	Subscriptions map[string]*subscription `json:"subscriptions"`
	Invoices      map[string]*invoice      `json:"invoices"`
	Charges       map[string]*charge       `json:"charges"`
	Answers       map[string]answer        `json:"answers"` // by Idempotency-Key
	Events        []*event                 `json:"events"`  // the oldest first
}

// New returns a simulator that goes on where the file ends. A file that can't be read is an error.
func New(options Options) (*Simulator, error) {
	s := &Simulator{
		options: options, prices: map[string]Price{}, poster: upstream.New("webhook", postTimeout), wake: make(chan struct{}, 1),
		state: state{
			Customers: map[string]*customer{}, Sessions: map[string]*session{}, Subscriptions: map[string]*subscription{},
			Invoices: map[string]*invoice{}, Charges: map[string]*charge{}, Answers: map[string]answer{},
		},
	}
	for _, price := range options.Prices {
		s.prices[price.ID] = price
	}
	if err := s.load(); err != nil {
		return nil, err
	}
	s.routes = s.mux()
	return s, nil
}

func (s *Simulator) load() error {
	if s.options.File == "" {
		return nil
	}
	text, err := os.ReadFile(s.options.File)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(text, &s.state)
}

// save writes the file anew, whole or not at all.
func (s *Simulator) save() error {
	if s.options.File == "" {
		return nil
	}
	text, err := json.Marshal(&s.state)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(s.options.File), 0o750); err != nil {
		return err
	}
	if err := os.WriteFile(s.options.File+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(s.options.File+".new", s.options.File)
}

// ServeHTTP answers the API below /v1, and the pages.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	http.StripPrefix(s.options.Base, s.routes).ServeHTTP(w, r)
}

func (s *Simulator) mux() *http.ServeMux {
	mux := http.NewServeMux()
	for pattern, call := range map[string]call{
		"POST /v1/customers":               (*Simulator).createCustomer,
		"GET /v1/customers/{id}":           (*Simulator).getCustomer,
		"DELETE /v1/customers/{id}":        (*Simulator).deleteCustomer,
		"POST /v1/checkout/sessions":       (*Simulator).createSession,
		"POST /v1/billing_portal/sessions": (*Simulator).createPortal,
		"POST /v1/billing/meter_events":    (*Simulator).createMeterEvent,
		"GET /v1/subscriptions":            (*Simulator).listSubscriptions,
		"POST /v1/subscriptions/{id}":      (*Simulator).updateSubscription,
		"DELETE /v1/subscriptions/{id}":    (*Simulator).cancelSubscription,
		"GET /v1/invoices":                 (*Simulator).listInvoices,
		"POST /v1/invoices/{id}/pay":       (*Simulator).payInvoice,
		"POST /v1/refunds":                 (*Simulator).createRefund,
		"GET /v1/events":                   (*Simulator).listEvents,
		"/v1/":                             (*Simulator).unknown,
	} {
		mux.Handle(pattern, s.api(call))
	}
	mux.HandleFunc("GET /checkout/{id}", s.showCheckout)
	mux.HandleFunc("POST /checkout/{id}", s.own(s.doCheckout))
	mux.HandleFunc("GET /portal/{id}", s.showPortal)
	mux.HandleFunc("POST /portal/{id}", s.own(s.doPortal))
	mux.HandleFunc("GET /{$}", s.showControl)
	mux.HandleFunc("GET /knobs", s.showKnobs)
	mux.HandleFunc("POST /knobs", s.own(s.setKnobs))
	mux.HandleFunc("POST /clock", s.own(s.advance))
	return mux
}

// change does something to the state and keeps the outcome. What time has brought since the last change comes first.
func (s *Simulator) change(do func()) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pass()
	do()
	s.forget()
	select {
	case s.wake <- struct{}{}:
	default: // it is woken already
	}
	return s.save()
}

// now is the time here, in whole seconds as Stripe counts.
func (s *Simulator) now() time.Time {
	return s.options.Clock.Now().Add(s.state.Ahead).UTC().Truncate(time.Second)
}

// newID returns an id that sorts behind those before it.
func (s *Simulator) newID(kind string) string {
	s.state.Count++
	return kind + "_" + strings.ToLower(base32(s.state.Count))
}

// base32 writes a number with ten digits that sort as the numbers do.
func base32(number int64) string {
	const digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	text := make([]byte, 10)
	for i := range text {
		text[len(text)-1-i] = digits[number&31]
		number >>= 5
	}
	return string(text)
}
