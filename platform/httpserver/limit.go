package httpserver

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/config"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/ratelimit"
)

// ceilingFactor is how many callers an address may stand for. People behind one address are many, so before it is known
// who calls, an address may call as often as so many of them: that bounds what floods of bad tokens cost.
const ceilingFactor = 20

// keysFactor is how many quotas all the API keys of a user may use up together. Each has one for itself, so that one program
// doesn't starve another; without a bound, many keys would be as good as no limit.
const keysFactor = 5

// webhookRate bounds what one address may post to webhooks. Their senders come in bursts of thousands, from few addresses, and
// come back when they are refused.
var webhookRate = config.Rate{Requests: 6000, Per: time.Minute}

// limiting is how calls are limited.
//
// A call counts against the group of its route, never against its path. On public routes it counts for the client's
// address. Elsewhere it counts for the user or the API key, each key for itself, but in the group ai, which costs money, for
// the user. Before that the address has a ceiling, and so have all the keys of a user together; ceilings, and what webhooks
// are posted, are counted by this process alone, and so cost no round trip. A token or key that is refused, but not a missing one,
// counts against the group auth of the address, and when that is used up the answer is 429. A good token from the same
// address still passes: a stranger behind the same router must not shut others out. What a user pays for may make the quotas
// of the user and of the API keys larger.
type limiting struct {
	limiter   ratelimit.Limiter
	ceiling   *ratelimit.Local
	callers   map[RateGroup]*quota
	addresses map[RateGroup]*quota // before it is known who calls
	keys      map[RateGroup]*quota // of all the API keys of a user

	factor func(plan string) int // how many times the quota of callers somebody on the plan has
	scaled sync.Map              // quotas times a factor, by scale
}

// scale is a quota times a factor.
type scale struct {
	of     *quota
	factor int
}

// of returns the quota as it is for somebody on the plan.
func (l *limiting) of(taken *quota, plan string) *quota {
	factor := l.factor(plan)
	if factor == 1 {
		return taken
	}
	if known, found := l.scaled.Load(scale{taken, factor}); found {
		return known.(*quota)
	}
	known, _ := l.scaled.LoadOrStore(scale{taken, factor}, newQuota(taken.Name, times(taken.Rate, factor)))
	return known.(*quota)
}

// quota is a quota and what of the headers is always the same about it. They are those of the HTTP contract and of
// draft-ietf-httpapi-ratelimit-headers-10.
type quota struct {
	ratelimit.Quota
	limit  []string // X-RateLimit-Limit
	policy []string // RateLimit-Policy
	item   string   // how RateLimit begins
}

func newQuota(name string, rate config.Rate) *quota {
	return &quota{
		Quota:  ratelimit.Quota{Name: name, Rate: rate},
		limit:  []string{strconv.Itoa(rate.Requests)},
		policy: []string{fmt.Sprintf("%q;q=%d;w=%d", name, rate.Requests, int(rate.Per.Seconds()))},
		item:   fmt.Sprintf("%q;r=", name),
	}
}

// newLimiting returns nil without a limiter: then nothing is limited. Without a factor all plans have the same quotas.
func newLimiting(limiter ratelimit.Limiter, rates config.RateLimit, factor func(plan string) int) *limiting {
	if limiter == nil {
		return nil
	}
	if factor == nil {
		factor = func(string) int { return 1 }
	}
	l := &limiting{
		factor:  factor,
		limiter: limiter, ceiling: ratelimit.NewLocal(clock.System{}),
		callers: map[RateGroup]*quota{RateWebhook: newQuota(string(RateWebhook), webhookRate)}, addresses: map[RateGroup]*quota{},
		keys: map[RateGroup]*quota{},
	}
	for group, rate := range map[RateGroup]config.Rate{RateDefault: rates.Default, RateAI: rates.AI, RateAuth: rates.Auth} {
		l.callers[group] = newQuota(string(group), rate)
		l.addresses[group] = newQuota(string(group)+"-address", times(rate, ceilingFactor))
		l.keys[group] = newQuota(string(group)+"-keys", times(rate, keysFactor))
	}
	return l
}

func times(rate config.Rate, factor int) config.Rate {
	rate.Requests *= factor
	return rate
}

// quotaOf returns whose quota a call of the route takes from, and which that is. Nobody's principal stands for the
// address.
func (l *limiting) quotaOf(route *Route, who auth.Principal, address netip.Addr) (key string, taken *quota) {
	switch {
	case who.KeyID != "" && route.Rate != RateAI:
		key = "key:" + who.KeyID
	case who.UserID != "":
		key = "user:" + who.UserID
	default:
		key = addressKey(address)
	}
	return key, l.callers[route.Rate]
}

// addressKey returns the key of whoever an address is.
func addressKey(address netip.Addr) string { return "address:" + clientNetwork(address).String() }

// limitAddress counts a call whose caller isn't known yet.
func (s *Server) limitAddress(c *gin.Context) {
	record := callIn(c)
	if !s.limits(record.route) {
		return
	}
	address := s.clientAddress(c.Request)
	if record.route.authenticated() {
		s.take(c, s.limiting.ceiling, addressKey(address), s.limiting.addresses[record.route.Rate])
		return // what is left of that is for the answers that name no caller; limitCaller's take its place
	}
	from := s.limiting.limiter
	if record.route.Rate == RateWebhook {
		from = s.limiting.ceiling
	}
	key, taken := s.limiting.quotaOf(record.route, auth.Principal{}, address)
	s.take(c, from, key, taken)
}

// limitCaller counts a call of a user or an API key.
func (s *Server) limitCaller(c *gin.Context) {
	record := callIn(c)
	if !s.limits(record.route) || !record.route.authenticated() {
		return
	}
	who := record.principal
	if who.KeyID != "" {
		if s.take(c, s.limiting.ceiling, "user:"+who.UserID, s.limiting.of(s.limiting.keys[record.route.Rate], who.Plan)); c.IsAborted() {
			return
		}
	}
	key, taken := s.limiting.quotaOf(record.route, who, netip.Addr{})
	s.take(c, s.limiting.limiter, key, s.limiting.of(taken, who.Plan))
}

// limits tells whether calls of the route are limited. There is no route behind a 404 or a 405.
func (s *Server) limits(route *Route) bool {
	return s.limiting != nil && route != nil && route.Rate != RateExempt
}

// take takes what the call costs, says what is left, and refuses the call when that is too little.
func (s *Server) take(c *gin.Context, from ratelimit.Limiter, key string, taken *quota) {
	// Not the call itself, whose context the deadline stage replaces while the timer of a Redis that was late may look at it.
	record := callIn(c)
	decision, err := from.Take(record.Context, key, taken.Quota, record.route.Cost)
	if err != nil {
		refuse(c, err)
		return
	}
	announce(c.Writer.Header(), taken, decision)
	if !decision.Allowed {
		refuse(c, errTooMany(decision))
	}
}

// countFailure counts a failed authentication and returns its error, or that there were too many of them.
func (s *Server) countFailure(c *gin.Context, err error) error {
	reason, refused := errors.AsType[auth.Reason](err)
	if !refused || reason == auth.MissingToken || !s.limits(callIn(c).route) {
		return err
	}
	failures := s.limiting.callers[RateAuth]
	decision, unknown := s.limiting.limiter.Take(c.Request.Context(), addressKey(s.clientAddress(c.Request)), failures.Quota, 1)
	if unknown != nil {
		return unknown
	}
	announce(c.Writer.Header(), failures, decision)
	if !decision.Allowed {
		return errTooMany(decision).Because(err)
	}
	return err
}

func errTooMany(decision ratelimit.Decision) *errs.Error {
	return errs.New(errs.RateLimited, "Too many requests: try again later").
		With(detailRetryAfter, max(1, seconds(decision.RetryAfter)))
}

// seconds returns a duration in whole seconds, rounded up.
func seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }

// announce sets the headers that say what is left. All values are parts of one text: they are set on most answers.
func announce(header http.Header, of *quota, decision ratelimit.Decision) {
	if decision.Limit != of.Rate.Requests { // Redis is gone, and this process has its part
		of = newQuota(of.Name, config.Rate{Requests: decision.Limit, Per: of.Rate.Per})
	}
	var stack [96]byte
	text := strconv.AppendInt(append(stack[:0], of.item...), int64(decision.Remaining), 10)
	remaining := len(text)
	text = strconv.AppendInt(append(text, ";t="...), int64(seconds(decision.Reset)), 10)
	item := len(text)
	text = strconv.AppendInt(text, time.Now().Add(decision.Reset+time.Second-1).Unix(), 10)

	all := string(text)
	values := [...]string{all[:item], all[len(of.item):remaining], all[item:]}
	header["Ratelimit-Policy"], header["Ratelimit"] = of.policy, values[0:1:1]
	header["X-Ratelimit-Limit"], header["X-Ratelimit-Remaining"], header["X-Ratelimit-Reset"] = of.limit, values[1:2:2], values[2:3:3]
}

// describedLimits are the headers of limited routes, for the API document.
var describedLimits = map[string]string{
	"X-RateLimit-Limit":     "How many calls may come at once",
	"X-RateLimit-Remaining": "How many of them are left now",
	"X-RateLimit-Reset":     "When all of them will be there again, in seconds since 1970",
	"RateLimit-Policy":      `The same for programs: "default";q=60;w=60 are 60 calls in 60 seconds`,
	"RateLimit":             `The same for programs: "default";r=50;t=10 are 50 left, and all of them in 10 seconds`,
}
