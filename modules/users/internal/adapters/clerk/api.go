package clerk

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/omnistack/omnistack/modules/users/internal/app"
	"github.com/omnistack/omnistack/platform/config"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/upstream"
)

// timeout is how long Clerk may take for an answer.
const timeout = 10 * time.Second

// Options say how to reach Clerk's Backend API.
type Options struct {
	Issuer  string        // whose users it knows
	Key     config.Secret // sk_...
	BaseURL string        // https://api.clerk.com when empty
}

// API asks Clerk's Backend API.
type API struct {
	client  *upstream.Client
	options Options
}

var _ app.ProfileSource = (*API)(nil)

// NewAPI returns a client of the API.
func NewAPI(options Options) *API {
	options.BaseURL = strings.TrimSuffix(cmp.Or(options.BaseURL, "https://api.clerk.com"), "/")
	return &API{client: upstream.New("clerk", timeout), options: options}
}

// Fetch returns what Clerk says of one of its users.
func (a *API) Fetch(ctx context.Context, subject string) (app.Notice, error) {
	header := http.Header{"Authorization": {"Bearer " + a.options.Key.Reveal()}}
	answer, err := a.client.Get(ctx, a.options.BaseURL+"/v1/users/"+url.PathEscape(subject), header)
	if err != nil {
		return app.Notice{}, err
	}
	if answer.Status == http.StatusNotFound {
		return app.Notice{}, errs.Missing("User", subject)
	}
	if !answer.OK() {
		return app.Notice{}, a.client.Failed(answer, reason(answer.Body))
	}
	notice, err := read(a.options.Issuer, answer.Body)
	if err != nil || notice.Subject != subject {
		return app.Notice{}, errs.New(errs.External, "Clerk answered with something else than the user").With("service", "clerk")
	}
	return notice, nil
}

// reason returns Clerk's name for what it didn't like.
func reason(body []byte) string {
	var said struct {
		Errors []struct {
			Code string `json:"code"`
		} `json:"errors"`
	}
	if json.Unmarshal(body, &said) != nil || len(said.Errors) == 0 {
		return ""
	}
	return said.Errors[0].Code
}
