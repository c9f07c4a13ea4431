//scaffold:needs projects

package chaos

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/omnistack/omnistack/platform/database"
)

// fact is something that is there of an order: a row, by its kind and whose it is.
type fact struct{ what, orderID string }

// perOrder is what there is of each order in the end, once.
var perOrder = []string{
	"order", "event " + placed{}.EventName(), "event " + shipped{}.EventName(),
	"done " + writeInvoice, "done " + ship, "done " + announce, "done " + track,
	"effect " + writeInvoice, "effect " + ship, "effect " + announce, "effect " + track,
	"job " + sendLetter, "effect " + sendLetter,
}

// counts is what became of the orders.
type counts struct {
	times      int // how often it was done to them
	committed  int // orders that are there
	lost       int // things that aren't there of an order that is
	twice      int // things that are there more than once
	phantom    int // things that are there of an order or an event that isn't
	missing    int // orders that were acknowledged and aren't there
	unfinished int // jobs that aren't completed
	repeats    int // deliveries of an event that was handled before, which may be
	took       time.Duration
	examples   []string // of what may not be
}

func (c counts) sound() bool { return c.lost+c.twice+c.phantom+c.missing+c.unfinished == 0 }

// count compares what is there with what must be.
func (s *site) count() counts {
	s.t.Helper()
	c := counts{times: s.times, took: time.Since(s.began)}
	facts, strangers := s.facts()
	for _, stranger := range strangers {
		c.blame(&c.phantom, "%s is of no event", stranger)
	}
	orders := map[string]bool{}
	for found := range facts {
		orders[found.orderID] = orders[found.orderID] || found.what == "order"
	}
	for orderID, there := range orders {
		if !there {
			c.blame(&c.phantom, "something is there for the order %s, which isn't", orderID)
			continue
		}
		c.committed++
		for _, what := range perOrder {
			switch times := facts[fact{what, orderID}]; {
			case times == 0:
				c.blame(&c.lost, "%s isn't there for the order %s", what, orderID)
			case times > 1:
				c.blame(&c.twice, "%s is there %d times for the order %s", what, times, orderID)
			}
		}
	}
	for _, orderID := range s.acknowledged {
		if !orders[orderID] {
			c.blame(&c.missing, "the order %s was acknowledged, and isn't there", orderID)
		}
	}
	c.unfinished = s.number("SELECT count(*) FROM river_job WHERE " + asked + " AND state <> 'completed'")
	c.repeats = s.number("SELECT (SELECT count(*) FROM chaos_deliveries) - (SELECT count(*) FROM events_inbox)")
	return c
}

// blame counts what must not be.
func (c *counts) blame(number *int, format string, args ...any) {
	*number++
	if len(c.examples) < 10 {
		c.examples = append(c.examples, fmt.Sprintf(format, args...))
	}
}

// facts returns how often each thing is there, and what belongs to no event that is.
func (s *site) facts() (found map[fact]int, strangers []string) {
	s.t.Helper()
	found, events := map[fact]int{}, map[string]string{} // the orders of the events
	s.each("SELECT 'order', id FROM chaos_orders", func(what, orderID string) { found[fact{what, orderID}]++ })
	s.each("SELECT 'effect ' || who, order_id FROM chaos_effects", func(what, orderID string) { found[fact{what, orderID}]++ })
	s.each("SELECT name || ' ' || id, aggregate FROM events_outbox", func(what, orderID string) {
		name, eventID, _ := strings.Cut(what, " ")
		events[eventID] = orderID
		found[fact{"event " + name, orderID}]++
	})
	s.each("SELECT state || ' ' || consumer, event_id FROM events_inbox", func(what, eventID string) {
		orderID, known := events[eventID]
		if !known {
			strangers = append(strangers, what)
			return
		}
		found[fact{what, orderID}]++
	})
	text := "args"
	if s.db.Engine() == database.SQLite {
		text = "json(args)"
	}
	s.each("SELECT kind, CAST("+text+" AS text) FROM river_job WHERE "+asked,
		func(kind, text string) {
			var args struct {
				Event   string
				OrderID string `json:"order_id"`
			}
			if err := json.Unmarshal([]byte(text), &args); err != nil {
				s.t.Fatal(err)
			}
			if kind == sendLetter {
				found[fact{"job " + kind, args.OrderID}]++
			} else if events[args.Event] == "" {
				strangers = append(strangers, "job "+kind)
			}
		})
	return found, strangers
}

// each calls see for each row of two texts.
func (s *site) each(query string, see func(a, b string)) {
	s.t.Helper()
	rows, err := database.All(s.db.Read(s.t.Context()).Raw(query), func(row database.Row) ([2]string, error) {
		var pair [2]string
		err := row.Scan(&pair[0], &pair[1])
		return pair, err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, row := range rows {
		see(row[0], row[1])
	}
}
