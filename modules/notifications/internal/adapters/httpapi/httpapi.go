// Package httpapi drives the notifications context by HTTP.
package httpapi

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/omnistack/omnistack/modules/notifications/internal/app"
	"github.com/omnistack/omnistack/modules/notifications/internal/domain"
	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/httpserver"
	"github.com/omnistack/omnistack/platform/patch"
)

// API is the operations on notifications.
type API struct {
	app     *app.App
	product string
}

// The paths below the API's prefix. Unsubscribe stands without the token behind it, for links in mails.
const (
	list        = "/app/notifications"
	preferences = list + "/preferences"
	Unsubscribe = "/public/unsubscribe/"
)

// Register adds the operations to the router. The product is the name in the head of pages. Carriers are what reads their
// feedback, by their names; one that isn't there is answered 404.
func Register(r *httpserver.Router, notifications *app.App, product string, carriers map[string]app.Feedback) {
	api := &API{app: notifications, product: product}
	httpserver.Query(r, httpserver.Route{
		Method: http.MethodGet, Path: list, Guard: httpserver.User,
		Summary: "List your notifications, the newest first",
	}, api.list)
	httpserver.Mutation(r, httpserver.Route{
		Method: http.MethodPost, Path: list + "/{id}/read", Guard: httpserver.User,
		Summary: "Note that you have read a notification", Errors: []int{http.StatusNotFound},
	}, api.read)
	httpserver.Query(r, httpserver.Route{
		Method: http.MethodGet, Path: preferences, Guard: httpserver.User,
		Summary: "Get what you are told by which channel",
	}, api.preferences)
	httpserver.Mutation(r, httpserver.Route{
		Method: http.MethodPatch, Path: preferences, Guard: httpserver.User,
		Summary: "Change what you are told by which channel", Errors: []int{http.StatusPreconditionFailed},
	}, api.change)
	httpserver.Mutation(r, httpserver.Route{
		Method: http.MethodPost, Path: "/public/contact", Guard: httpserver.Public, Rate: httpserver.RateAuth,
		Summary: "Write to the people behind the product", Status: http.StatusAccepted,
	}, api.contact)
	httpserver.Query(r, httpserver.Route{
		Method: http.MethodGet, Path: Unsubscribe + "{token}", Guard: httpserver.Public,
		Summary: "Ask whether to end mails of a kind, as a page", Errors: []int{http.StatusNotFound},
	}, api.ask)
	httpserver.Mutation(r, httpserver.Route{
		Method: http.MethodPost, Path: Unsubscribe + "{token}", Guard: httpserver.Public,
		Summary: "End mails of a kind, by one click (RFC 8058)", Errors: []int{http.StatusNotFound},
	}, api.unsubscribe)
	registerWebhooks(r, notifications, carriers)
}

// Notification is a notification as its user sees it.
type Notification struct {
	ID        string            `json:"id"`
	Kind      string            `json:"kind" doc:"What it is about, as in the preferences"`
	Topic     string            `json:"topic" doc:"What happened, such as project_deleted"`
	Data      map[string]string `json:"data" doc:"What it happened to: ids, and names of states"`
	ReadAt    *time.Time        `json:"read_at" doc:"null while unread"`
	CreatedAt time.Time         `json:"created_at"`
}

func toNotification(n domain.Notification) Notification {
	return Notification{ID: n.ID, Kind: n.Kind, Topic: n.Topic, Data: n.Data, ReadAt: n.ReadAt, CreatedAt: n.CreatedAt}
}

type listInput struct {
	httpserver.Paging
	Unread bool `query:"unread" default:"false" doc:"Only what you haven't read"`
}

func (a *API) list(ctx context.Context, in *listInput) (*httpserver.List[Notification], error) {
	wanted, err := in.Page()
	if err != nil {
		return nil, err
	}
	found, err := a.app.List(ctx, httpserver.Principal(ctx).Scope(), in.Unread, wanted)
	if err != nil {
		return nil, err
	}
	return httpserver.ListOf(found, toNotification), nil
}

type readInput struct {
	ID string `path:"id" maxLength:"255"`
}

func (a *API) read(_ context.Context, in *readInput) (httpserver.Commit[httpserver.Object[Notification]], error) {
	return func(ctx context.Context) (*httpserver.Object[Notification], error) {
		notification, err := a.app.MarkRead(ctx, httpserver.Principal(ctx).Scope(), in.ID)
		if err != nil {
			return nil, err
		}
		return &httpserver.Object[Notification]{
			ETag: httpserver.ETag(notification.Version()), Body: toNotification(notification),
		}, nil
	}, nil
}

// Preferences are what a user is told by which channel.
type Preferences struct {
	Kinds map[string]Channels `json:"kinds" doc:"By the name of the kind"`
}

// Channels says by which channels a kind of notification comes.
type Channels struct {
	InApp *bool `json:"in_app" doc:"In the web app; null when it never comes that way"`
	Mail  *bool `json:"mail" doc:"By mail; null when it never comes that way"`
	Fixed bool  `json:"fixed" doc:"It can't be switched off"`
}

// toPreferences returns the kinds that the user can get: those of administrators only to administrators.
func toPreferences(ctx context.Context, from domain.Preferences) *httpserver.Object[Preferences] {
	admin := httpserver.Principal(ctx).Role.Includes(auth.RoleAdmin)
	body := Preferences{Kinds: map[string]Channels{}}
	for _, kind := range domain.Kinds() {
		if kind.Audience == domain.Anybody || kind.Audience == domain.Admins && !admin {
			continue
		}
		channel := func(channel domain.Channel) *bool {
			if !kind.Has(channel) {
				return nil
			}
			return new(from.Wants(kind, channel))
		}
		body.Kinds[kind.Name] = Channels{InApp: channel(domain.InApp), Mail: channel(domain.ByMail), Fixed: !kind.Optional}
	}
	return &httpserver.Object[Preferences]{ETag: httpserver.ETag(from.Version), Body: body}
}

func (a *API) preferences(ctx context.Context, _ *struct{}) (*httpserver.Object[Preferences], error) {
	found, err := a.app.Preferences(ctx, httpserver.Principal(ctx).Scope())
	if err != nil {
		return nil, err
	}
	return toPreferences(ctx, found), nil
}

// PreferencesChange is what a user wants otherwise. What is absent stays.
type PreferencesChange struct {
	Kinds map[string]ChannelsChange `json:"kinds" maxProperties:"100"`
}

// ChannelsChange switches channels of a kind on or off.
type ChannelsChange struct {
	InApp patch.Field[bool] `json:"in_app,omitempty" nullable:"false"`
	Mail  patch.Field[bool] `json:"mail,omitempty" nullable:"false"`
}

type changeInput struct {
	httpserver.IfMatch
	Body PreferencesChange
}

func (a *API) change(_ context.Context, in *changeInput) (httpserver.Commit[httpserver.Object[Preferences]], error) {
	version, err := in.Version()
	if err != nil {
		return nil, err
	}
	switches := in.Body.switches()
	return func(ctx context.Context) (*httpserver.Object[Preferences], error) {
		changed, err := a.app.ChangePreferences(ctx, httpserver.Principal(ctx).Scope(), version, switches)
		if err != nil {
			return nil, err
		}
		return toPreferences(ctx, changed), nil
	}, nil
}

// switches returns the change, in the order of the names.
func (c PreferencesChange) switches() []domain.Switch {
	var switches []domain.Switch
	for kind, channels := range c.Kinds {
		for channel, field := range map[domain.Channel]patch.Field[bool]{domain.InApp: channels.InApp, domain.ByMail: channels.Mail} {
			if field.Present() {
				choice := domain.Choice{Kind: kind, Channel: channel}
				switches = append(switches, domain.Switch{Choice: choice, On: *field.Value()})
			}
		}
	}
	slices.SortFunc(switches, func(a, b domain.Switch) int { return a.Compare(b.Choice) })
	return switches
}

// ContactForm is what somebody writes to the people behind the product.
type ContactForm struct {
	Name    string `json:"name" minLength:"1" maxLength:"100"`
	Email   string `json:"email" format:"email" minLength:"3" maxLength:"254" doc:"Where the answer goes"`
	Subject string `json:"subject,omitempty" maxLength:"200"`
	Message string `json:"message" minLength:"1" maxLength:"5000"`
	Website string `json:"website,omitempty" maxLength:"2000" doc:"Hide this field from people: what programs write into it gives them away"`
}

type contactInput struct{ Body ContactForm }

// Received is the answer to a message.
type Received struct {
	ID     string `json:"id"`
	Status string `json:"status" enum:"received"`
}

func (a *API) contact(_ context.Context, in *contactInput) (httpserver.Commit[httpserver.Object[Received]], error) {
	return func(ctx context.Context) (*httpserver.Object[Received], error) {
		messageID, err := a.app.Contact(ctx, app.ContactForm(in.Body))
		if err != nil {
			return nil, err
		}
		return &httpserver.Object[Received]{Body: Received{ID: messageID, Status: "received"}}, nil
	}, nil
}
