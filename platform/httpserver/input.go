package httpserver

import (
	"hash"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/gin-gonic/gin"

	"github.com/omnistack/omnistack/platform/errs"
)

// adapter registers huma's operations with the engine, each behind a check of what huma doesn't look at.
type adapter struct {
	*gin.Engine
	server *Server
}

// Handle registers an operation.
func (a adapter) Handle(op *huma.Operation, serve func(huma.Context)) {
	a.server.document(op)
	known := map[string]bool{} // whether the parameter may be empty
	for _, param := range op.Parameters {
		if schema := param.Schema; param.In == "query" {
			known[param.Name] = schema.Type == huma.TypeString && schema.Format == "" && len(schema.Enum) == 0
		}
	}
	a.server.handle(op.Method, op.Path, func(c *gin.Context) {
		callIn(c).params = c.Params
		err := checkPath(c.Params)
		if err == nil {
			err = checkQuery(c.Request.URL.RawQuery, known)
		}
		if err == nil && op.RequestBody != nil {
			err = checkMedia(c.Request, op.RequestBody.Content)
		}
		if err != nil {
			refuse(c, err)
			return
		}
		delete(c.Request.Header, "Accept") // huma's negotiation panics over ";," and there is one format to choose from
		serve(humagin.NewContext(op, c))
		if before := callIn(c).replay; before != nil {
			before.send(c)
		}
	})
}

// checkPath refuses ids that nothing can have.
func checkPath(params gin.Params) error {
	for _, param := range params {
		if !storable(param.Value) {
			return errNothingHere
		}
	}
	return nil
}

// checkQuery refuses a query that can't be read, and parameters that are unknown, repeated or empty where that is no value:
// net/url drops the parts it can't read, and huma takes the first of several, and an empty one for none. Known tells whether
// a parameter may be empty.
func checkQuery(raw string, known map[string]bool) error {
	if raw == "" {
		return nil
	}
	query, err := url.ParseQuery(raw)
	if err != nil {
		return errs.New(errs.Malformed, "The query can't be read")
	}
	var broken []errs.Field
	for _, name := range slices.Sorted(maps.Keys(query)) {
		if !storable(name) || !storable(query[name][0]) {
			return errs.New(errs.Malformed, "The query must be UTF-8 without NUL characters")
		}
		empty, isKnown := known[name]
		switch {
		case !isKnown:
			broken = append(broken, errs.Field{Name: shorten(name), Message: "unknown query parameter"})
		case len(query[name]) > 1:
			broken = append(broken, errs.Field{Name: name, Message: "must be given once"})
		case query[name][0] == "" && !empty:
			broken = append(broken, errs.Field{Name: name, Message: "is empty"})
		}
	}
	if broken != nil {
		return errs.InvalidFields(broken[:min(len(broken), mostFields)]...)
	}
	return nil
}

// storable tells whether a text can be stored: PostgreSQL takes neither other bytes than UTF-8 nor NUL.
func storable(text string) bool { return utf8.ValidString(text) && !strings.Contains(text, "\x00") }

var headerJSON = []string{contentType}

// checkMedia refuses a body that isn't of a type the operation takes, or is compressed: a small one may hide a large one. A
// body without a type is taken for JSON.
func checkMedia(r *http.Request, accepted map[string]*huma.MediaType) error {
	if r.ContentLength == 0 {
		return nil
	}
	for _, coding := range r.Header["Content-Encoding"] {
		if !strings.EqualFold(coding, "identity") {
			return errs.New(errs.UnsupportedMedia, "The body must not be compressed")
		}
	}
	media := r.Header.Get("Content-Type")
	if media == "" || accepted[media] != nil {
		return nil
	}
	kind, params, err := mime.ParseMediaType(media)
	charset := strings.ToLower(params["charset"])
	if err != nil || accepted[kind] == nil || kind == contentType && charset != "" && charset != "utf-8" {
		return errs.New(errs.UnsupportedMedia, "The body must be "+strings.Join(slices.Sorted(maps.Keys(accepted)), " or "))
	}
	if kind == contentType {
		r.Header["Content-Type"] = headerJSON // huma knows this spelling only
	}
	return nil
}

// body is a request's body up to a limit. Its errors say what became of the request.
type body struct {
	io.ReadCloser
	left, limit int64
	keeps       bool      // whether the audit log will want it
	kept        []byte    // its beginning, one byte more than the audit log takes
	sum         hash.Hash // SHA-256 of what was read; nil without an Idempotency-Key
}

// Read reads on. Beyond the limit it fails with errs.TooLarge, and with errs.Malformed if the body breaks off.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.left -= int64(n)
	if b.keeps {
		b.kept = append(b.kept, p[:min(n, maxActInput+1-len(b.kept))]...)
	}
	if b.sum != nil {
		_, _ = b.sum.Write(p[:n]) // never fails
	}
	switch {
	case b.left < 0:
		return n, errTooLarge(b.limit)
	case err != nil && err != io.EOF:
		return n, errs.New(errs.Malformed, "The body can't be read to its end").Because(err)
	}
	return n, err
}

func errTooLarge(limit int64) error {
	return errs.New(errs.TooLarge, "The body is larger than allowed").With("limit_bytes", limit)
}
