package simulator

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// event is what happened, as it is posted.
type event struct {
	ID        string          `json:"id"`
	Body      json.RawMessage `json:"body"`
	Created   time.Time       `json:"created"`
	Delivered bool            `json:"delivered"`
	Left      int             `json:"left"`  // how often it is still to be posted
	Tries     int             `json:"tries"` // that failed
	Next      time.Time       `json:"next"`  // not before, by the real time
}

// The bounds of delivery. Stripe tries for three days; who develops has forgotten by then.
const (
	postTimeout = 30 * time.Second
	maxTries    = 12
	maxWait     = time.Minute
	maxEvents   = 5000
)

// emit notes an event, to be posted.
func (s *Simulator) emit(at time.Time, kind string, about object) {
	happened := &event{ID: s.newID("evt"), Created: at, Left: 1 + max(0, s.state.Knobs.Duplicate)}
	if s.state.Knobs.Drop > 0 {
		s.state.Knobs.Drop--
		happened.Left = 0
	}
	happened.Body = json.RawMessage(text(object{
		"id": happened.ID, "object": "event", "type": kind, "api_version": "2024-06-20", "created": at.Unix(), "livemode": false,
		"pending_webhooks": 1, "request": object{"id": nil, "idempotency_key": nil}, "data": object{"object": about},
	}))
	s.state.Events = append(s.state.Events, happened)
}

// forget drops the oldest events when there are too many.
func (s *Simulator) forget() {
	if extra := len(s.state.Events) - maxEvents; extra > 0 {
		s.state.Events = append([]*event(nil), s.state.Events[extra:]...)
	}
}

// Run posts events, and lets happen what time brings, until ctx ends.
func (s *Simulator) Run(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		for s.post(ctx) {
		}
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		case <-tick.C:
			s.elapse()
		}
	}
}

// elapse lets happen what time brought.
func (s *Simulator) elapse() {
	s.mu.Lock()
	_, at := s.nextDue()
	due := !at.IsZero() && !at.After(s.now())
	s.mu.Unlock()
	if due {
		_ = s.change(func() {}) // a disk that is full shows at the next call
	}
}

// post posts one event that is to be posted, and tells whether there was one.
func (s *Simulator) post(ctx context.Context) bool {
	next := s.next()
	if next == nil || ctx.Err() != nil {
		return false
	}
	// By the real time, which the other side goes by.
	timestamp := strconv.FormatInt(s.options.Clock.Now().Unix(), 10)
	mac := hmac.New(sha256.New, []byte(s.options.Secret))
	mac.Write([]byte(timestamp + "."))
	mac.Write(next.Body)
	header := http.Header{"Stripe-Signature": {fmt.Sprintf("t=%s,v1=%s", timestamp, hex.EncodeToString(mac.Sum(nil)))}}
	answer, err := s.poster.Post(ctx, s.options.Hook, header, next.Body)

	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil && answer.OK() {
		next.Left--
		next.Delivered = true
	} else if next.Tries++; next.Tries >= maxTries {
		next.Left = 0
	} else {
		next.Next = s.options.Clock.Now().Add(min(maxWait, time.Second<<(next.Tries-1)))
	}
	_ = s.save() // else it is posted once more after a restart
	return true
}

// next returns the event to post now, nil for none.
func (s *Simulator) next() *event {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state.Knobs.Hold {
		return nil
	}
	var waiting []*event
	now := s.options.Clock.Now()
	for _, happened := range s.state.Events {
		if happened.Left > 0 && !now.Before(happened.Next) {
			if !s.state.Knobs.Shuffle {
				return happened
			}
			waiting = append(waiting, happened)
		}
	}
	if len(waiting) == 0 {
		return nil
	}
	return waiting[rand.IntN(len(waiting))] //nolint:gosec // any order will do
}
