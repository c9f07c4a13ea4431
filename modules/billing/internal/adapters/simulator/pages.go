package simulator

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/omnistack/omnistack/modules/billing"
)

//go:embed pages/*.html
var sources embed.FS

var functions = template.FuncMap{"money": billing.Money}

// pagePolicy lets a page use its own style and send its forms. A form may lead back to the web app, which is elsewhere.
const pagePolicy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'self' http: https:; frame-ancestors 'none'"

func (s *Simulator) render(w http.ResponseWriter, name string, data any) {
	page, err := template.New("").Funcs(functions).ParseFS(sources, "pages/*.html")
	var out bytes.Buffer
	if err == nil {
		err = page.ExecuteTemplate(&out, name, data)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", pagePolicy)
	_, _ = out.WriteTo(w) // whoever hung up gets nothing
}

// own refuses forms of other sites.
func (s *Simulator) own(do http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch r.Header.Get("Sec-Fetch-Site") {
		case "", "same-origin", "none":
		default:
			http.Error(w, "This comes from another site.", http.StatusForbidden)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		if err := r.ParseForm(); err != nil {
			http.Error(w, "The form can't be read.", http.StatusBadRequest)
			return
		}
		do(w, r)
	}
}

// act changes the state by a form, and goes to the address that do returns; an empty one is where the form was.
func (s *Simulator) act(w http.ResponseWriter, r *http.Request, do func() (address string, err error)) {
	var address string
	var failed error
	if err := s.change(func() { address, failed = do() }); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if failed != nil {
		http.Error(w, failed.Error(), http.StatusBadRequest)
		return
	}
	if address == "" {
		address = s.options.Base + r.URL.RequestURI()
	}
	http.Redirect(w, r, address, http.StatusSeeOther) //nolint:gosec // the addresses are the product's own
}

func (s *Simulator) showCheckout(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, known := s.state.Sessions[r.PathValue("id")]
	if !known || s.now().Sub(found.Created) > sessionLife {
		http.Error(w, "This checkout doesn't exist any more.", http.StatusNotFound)
		return
	}
	s.render(w, "checkout.html", map[string]any{
		"Session": found, "Price": s.prices[found.Price], "Declined": r.URL.Query().Has("declined"), "Done": found.Subscription != "",
	})
}

func (s *Simulator) doCheckout(w http.ResponseWriter, r *http.Request) {
	s.act(w, r, func() (string, error) {
		found, known := s.state.Sessions[r.PathValue("id")]
		if !known || s.now().Sub(found.Created) > sessionLife || s.state.Customers[found.Customer].Deleted {
			return "", fmt.Errorf("this checkout doesn't exist any more")
		}
		switch action := r.PostForm.Get("action"); {
		case action == "back":
			return found.CancelURL, nil
		case action == "decline", action == "pay" && s.state.Knobs.Decline:
			return s.options.Base + "/checkout/" + found.ID + "?declined", nil
		case action != "pay":
			return "", fmt.Errorf("there is no such button")
		}
		if found.Subscription == "" { // else it is paid: a second click pays nothing
			s.state.Customers[found.Customer].BadCard = false
			s.subscribe(found)
		}
		return strings.ReplaceAll(found.SuccessURL, "{CHECKOUT_SESSION_ID}", found.ID), nil
	})
}

// offer is a price that one may switch to.
type offer struct {
	Price
	Current bool
}

func (s *Simulator) showPortal(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	payer, failed := s.customerOf(r.PathValue("id"))
	if failed != nil {
		http.Error(w, failed.message, http.StatusNotFound)
		return
	}
	data := map[string]any{
		"Customer": payer, "Invoices": s.invoicesOf(payer.ID), "Return": r.URL.Query().Get("return_url"), "Now": s.now(),
	}
	for _, x := range s.subscriptionsOf(payer.ID) {
		if x.Status == canceled {
			continue
		}
		var offers []offer
		for _, price := range s.options.Prices {
			offers = append(offers, offer{price, price.ID == x.Price})
		}
		data["Subscription"], data["Price"], data["Offers"] = x, s.prices[x.Price], offers
		break
	}
	s.render(w, "portal.html", data)
}

func (s *Simulator) doPortal(w http.ResponseWriter, r *http.Request) {
	s.act(w, r, func() (string, error) {
		payer, failed := s.customerOf(r.PathValue("id"))
		if failed != nil {
			return "", fmt.Errorf("%s", failed.message)
		}
		action, about := r.PostForm.Get("action"), r.PostForm.Get("about")
		switch action {
		case "good", "bad":
			payer.BadCard = action == "bad"
			return "", nil
		case "refund":
			settled, known := s.state.Invoices[about]
			if known && settled.Customer == payer.ID {
				s.refund(s.state.Charges[settled.Charge], 0)
			}
			return "", nil
		case "pay":
			open, known := s.state.Invoices[about]
			if known && open.Customer == payer.ID && open.Status == "open" {
				s.collect(open, s.now())
			}
			return "", nil
		}
		x, known := s.state.Subscriptions[r.PostForm.Get("subscription")]
		if !known || x.Customer != payer.ID || x.Status == canceled {
			return "", fmt.Errorf("there is no such subscription any more")
		}
		_, sold := s.prices[about]
		switch {
		case action == "switch" && sold:
			s.switchTo(x, about)
		case action == "cancel", action == "resume":
			s.cancelAtEnd(x, action == "cancel")
		case action == "end":
			s.end(x, s.now())
		default:
			return "", fmt.Errorf("there is no such button")
		}
		return "", nil
	})
}

func (s *Simulator) showControl(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	type row struct {
		*customer

		Subscriptions []*subscription
	}
	var rows []row
	for _, payer := range newest(s.state.Customers, func(x *customer) bool { return !x.Deleted }) {
		if len(rows) == 100 {
			break
		}
		rows = append(rows, row{payer, s.subscriptionsOf(payer.ID)})
	}
	s.render(w, "control.html", map[string]any{
		"Now": s.now(), "Knobs": s.state.Knobs, "Customers": rows, "Events": len(s.state.Events), "Waiting": s.waiting(), "Base": s.options.Base,
	})
}

func (s *Simulator) showKnobs(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	writeText(w, http.StatusOK, text(struct {
		Knobs

		Waiting int `json:"waiting"` // how many events are still to be posted
	}{s.state.Knobs, s.waiting()}))
}

// waiting returns how many events are still to be posted.
func (s *Simulator) waiting() int {
	waiting := 0
	for _, happened := range s.state.Events {
		if happened.Left > 0 {
			waiting++
		}
	}
	return waiting
}

// setKnobs takes all knobs anew: what a form leaves out is off. In JSON what is left out stays.
func (s *Simulator) setKnobs(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		var failed error
		if err := s.change(func() { failed = json.NewDecoder(r.Body).Decode(&s.state.Knobs) }); err != nil || failed != nil {
			http.Error(w, "These are no knobs.", http.StatusBadRequest)
			return
		}
		s.showKnobs(w, r)
		return
	}
	s.act(w, r, func() (string, error) {
		number := func(name string) int {
			value, _ := strconv.Atoi(r.PostForm.Get(name)) // what is no number is off
			return min(max(0, value), 60_000)
		}
		s.state.Knobs = Knobs{
			Decline: r.PostForm.Has("decline"), Outage: r.PostForm.Has("outage"), Hold: r.PostForm.Has("hold"), Shuffle: r.PostForm.Has("shuffle"),
			Duplicate: min(10, number("duplicate")), Drop: number("drop"), SlowMS: number("slow_ms"),
		}
		return s.options.Base + "/", nil
	})
}

// maxAdvance is how far the clock goes at once.
const maxAdvance = 2 * 366 * 24 * time.Hour

// advance lets time pass here, by a duration such as "72h".
func (s *Simulator) advance(w http.ResponseWriter, r *http.Request) {
	s.act(w, r, func() (string, error) {
		by, err := time.ParseDuration(r.PostForm.Get("by"))
		if err != nil || by <= 0 || by > maxAdvance {
			return "", fmt.Errorf("give a duration such as 72h, of two years at most")
		}
		s.state.Ahead += by
		s.pass()
		return s.options.Base + "/", nil
	})
}

func escape(text string) string { return url.QueryEscape(text) }
