package httpserver

import (
	"cmp"
	"net/http"
	"strconv"
	"strings"

	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/page"
)

// Object is the answer that holds one object: its body, the ETag of its version and, for a new one, its address.
// A GET that names the current ETag in If-None-Match is answered 304 by the server (RFC 9110, section 13).
type Object[T any] struct {
	Status   int
	ETag     string `header:"ETag" doc:"The version of the object, for If-Match and If-None-Match"`
	Location string `header:"Location" doc:"The address of a new object"`
	Body     T
}

// Empty is the answer without a body.
type Empty struct{}

// Heard is the answer to a webhook.
type Heard struct {
	Received bool `json:"received"`
}

// Page is the answer that people look at in a browser, or any other document that isn't the API's JSON.
type Page struct {
	Media  string `header:"Content-Type"`            // such as "text/html; charset=utf-8"
	Policy string `header:"Content-Security-Policy"` // what the page may load and do; the API's own, which is nothing, when empty
	Body   []byte
}

// List is the answer that holds one page of a list.
type List[T any] struct {
	Body ListBody[T]
}

// ListBody is the list envelope of the API.
type ListBody[T any] struct {
	Items []T    `json:"items" nullable:"false"`
	Total int64  `json:"total" doc:"How many there are in all"`
	Skip  int    `json:"skip"`
	Limit int    `json:"limit"`
	Next  string `json:"next_cursor,omitempty" doc:"Pass it as cursor for the next page; absent on the last one"`
}

// ListOf returns the answer for a page, each item converted to its body.
func ListOf[A, B any](from page.Page[A], convert func(A) B) *List[B] {
	items := page.Map(from, convert)
	return &List[B]{Body: ListBody[B]{Items: items.Items, Total: items.Total, Skip: items.Skip, Limit: items.Limit, Next: items.Next}}
}

// Paging are the query parameters of every list. Embed it in the input.
type Paging struct {
	Skip   int    `query:"skip" minimum:"0" maximum:"10000" default:"0" doc:"How many to leave out; walk further with cursor"`
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"20" doc:"How many to answer at most"`
	Cursor string `query:"cursor" maxLength:"8192" pattern:"^[A-Za-z0-9_-]*$" doc:"The next_cursor of the page before; not together with skip"`
}

// Page returns the page asked for, or errs.Invalid when skip and cursor are combined.
func (p Paging) Page() (page.Request, error) {
	if p.Cursor != "" && p.Skip != 0 {
		return page.Request{}, errs.InvalidFields(errs.Field{Name: "skip", Message: "can't be combined with cursor"})
	}
	return page.Request{Skip: p.Skip, Limit: p.Limit, Cursor: p.Cursor}, nil
}

// ETag returns the strong entity tag of a version.
func ETag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

// IfMatch is the header that guards a change against a version the client hasn't seen. Embed it in the input.
type IfMatch struct {
	Value string `header:"If-Match" doc:"The ETag of the version you saw; if it is no longer current nothing changes and the answer is 412"`
}

// AnyVersion is the expected version when the client names none: change whatever is current.
const AnyVersion int64 = 0

// Version returns the version that must be current, AnyVersion without the header or for "*". A tag that no version
// can have, and a weak one (RFC 9110, section 13.1.1), is errs.Precondition: it matches nothing.
func (m IfMatch) Version() (int64, error) {
	tags := strings.TrimSpace(m.Value)
	if tags == "" || tags == "*" {
		return AnyVersion, nil
	}
	inner, opened := strings.CutPrefix(tags, `"`)
	inner, closed := strings.CutSuffix(inner, `"`)
	version, err := strconv.ParseInt(inner, 10, 64)
	if !opened || !closed || err != nil || version <= AnyVersion || ETag(version) != tags {
		return 0, errs.Stale()
	}
	return version, nil
}

// unchanged tells whether an If-None-Match header names the tag, by the weak comparison it asks for.
func unchanged(ifNoneMatch, tag string) bool {
	if ifNoneMatch == "" || tag == "" {
		return false
	}
	for candidate := range strings.SplitSeq(ifNoneMatch, ",") {
		candidate = strings.TrimPrefix(strings.TrimSpace(candidate), "W/")
		if candidate == "*" || candidate == tag {
			return true
		}
	}
	return false
}

// answered is what Query and Mutation need of an answer, whatever its body.
type answered interface {
	// settle decides the status, of which the route may name one and 0 is the usual, and returns it.
	settle(status int, ifNoneMatch string) int
	// content returns the body, nil for none.
	content() any
	// whole returns the headers and the body that are sent, given the content when it is marshalled.
	whole(rendered []byte) (headers map[string]string, body []byte)
}

func (o *Object[T]) settle(status int, ifNoneMatch string) int {
	o.Status = cmp.Or(o.Status, status, http.StatusOK)
	if unchanged(ifNoneMatch, o.ETag) {
		o.Status = http.StatusNotModified
	}
	return o.Status
}

func (o *Object[T]) content() any { return o.Body }

func (o *Object[T]) whole(rendered []byte) (headers map[string]string, body []byte) {
	headers = map[string]string{"Content-Type": contentType}
	if o.ETag != "" {
		headers["Etag"] = o.ETag
	}
	if o.Location != "" {
		headers["Location"] = o.Location
	}
	return headers, rendered
}

func (*Page) settle(status int, _ string) int { return cmp.Or(status, http.StatusOK) }
func (*Page) content() any                    { return nil } // huma writes bytes as they are

func (p *Page) whole([]byte) (headers map[string]string, body []byte) {
	headers = map[string]string{"Content-Type": p.Media}
	if p.Policy != "" {
		headers["Content-Security-Policy"] = p.Policy
	}
	return headers, p.Body
}

func (l *List[T]) settle(status int, _ string) int { return cmp.Or(status, http.StatusOK) }
func (l *List[T]) content() any                    { return l.Body }

func (*List[T]) whole(rendered []byte) (headers map[string]string, body []byte) {
	return map[string]string{"Content-Type": contentType}, rendered
}

func (*Empty) settle(status int, _ string) int { return cmp.Or(status, http.StatusNoContent) }
func (*Empty) content() any                    { return nil }

func (*Empty) whole([]byte) (headers map[string]string, body []byte) { return nil, nil }
