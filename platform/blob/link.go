package blob

import (
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/keyring"
)

// links makes and reads the signed URLs of local files. Signed are the method, the key and all parameters, the expiry among
// them, so that nothing of a URL can be changed, added or left out. Changing the order of the parameters changes nothing.
type links struct {
	signer keyring.Signer
	base   string
}

// The parameters of a signed URL.
const (
	paramExpires   = "expires" // seconds since 1970
	paramSize      = "size"
	paramType      = "type"
	paramFilename  = "filename"
	paramSignature = "signature"
)

func (l links) upload(key string, size int64, contentType string, expires time.Time) Upload {
	length := strconv.FormatInt(size, 10)
	return Upload{
		Method:    http.MethodPut,
		URL:       l.sign(http.MethodPut, key, expires, url.Values{paramSize: {length}, paramType: {contentType}}),
		Headers:   map[string]string{"Content-Type": contentType, "Content-Length": length},
		ExpiresAt: expires,
	}
}

func (l links) download(key, filename string, expires time.Time) string {
	return l.sign(http.MethodGet, key, expires, url.Values{paramFilename: {filename}})
}

// sign returns the signed URL. It expires with the second.
func (l links) sign(method, key string, expires time.Time, params url.Values) string {
	params.Set(paramExpires, strconv.FormatInt(expires.Unix(), 10))
	query := params.Encode()
	signature := base64.RawURLEncoding.EncodeToString(l.signer.Sign(message(method, key, query)))
	return l.base + "/" + key + "?" + query + "&" + paramSignature + "=" + signature
}

// message is what is signed. Neither a method nor a query as it is encoded holds a line break, so it can be read in one way only.
func message(method, key, query string) []byte { return []byte(method + "\n" + query + "\n" + key) }

var (
	errForged  = errs.New(errs.Forbidden, "The link isn't valid")
	errExpired = errs.New(errs.Forbidden, "The link has expired")
)

// verify returns the parameters of a signed URL for the method and key, or errs.Forbidden for one that we haven't signed or
// that has expired by now.
func (l links) verify(method, key, query string, now time.Time) (url.Values, error) {
	params, err := url.ParseQuery(query)
	if err != nil || CheckKey(key) != nil || len(params[paramSignature]) != 1 {
		return nil, errForged
	}
	signature, err := base64.RawURLEncoding.Strict().DecodeString(params.Get(paramSignature))
	params.Del(paramSignature)
	if err != nil || !l.signer.Verify(message(method, key, params.Encode()), signature) {
		return nil, errForged
	}
	expires, err := strconv.ParseInt(params.Get(paramExpires), 10, 64)
	if err != nil {
		return nil, errForged
	}
	if now.Unix() >= expires {
		return nil, errExpired
	}
	return params, nil
}

// Serve answers a request to a signed URL, whose key the path ends with: a PUT stores the file, a GET or HEAD returns it. What
// it returns is an attachment in a sandbox, so that no browser takes it for a page of ours, and may be shown within pages of
// others, as that of S3 may. Its errors are those of a Store, errs.Forbidden for a URL that is forged or has expired, or for an
// upload that isn't as was signed, and errs.MethodNotAllowed; nothing is written then.
func (l *Local) Serve(w http.ResponseWriter, r *http.Request, key string) error {
	switch r.Method {
	case http.MethodPut:
		return l.take(w, r, key)
	case http.MethodGet, http.MethodHead:
		return l.give(w, r, key)
	}
	return errs.New(errs.MethodNotAllowed, "This address doesn't support the method")
}

// take stores an upload.
func (l *Local) take(w http.ResponseWriter, r *http.Request, key string) error {
	params, err := l.links.verify(http.MethodPut, key, r.URL.RawQuery, l.clock.Now())
	if err != nil {
		return err
	}
	size, err := strconv.ParseInt(params.Get(paramSize), 10, 64)
	if err != nil {
		return errForged
	}
	contentType := params.Get(paramType)
	if r.ContentLength != size || len(r.Header["Content-Type"]) != 1 || r.Header.Get("Content-Type") != contentType {
		return errs.New(errs.Forbidden, "The link is for a file of another length or media type")
	}
	whole := exactly(r.Context(), r.Body, size)
	known := facts{Size: size, Type: contentType, ETag: rand.Text()}
	err = l.write(key, whole, known)
	if failure := whole.failed(); failure != nil {
		return ended(r.Context(), failure)
	}
	if err != nil {
		return l.trouble(err)
	}
	w.Header().Set("Etag", `"`+known.ETag+`"`)
	w.WriteHeader(http.StatusOK)
	return nil
}

// give returns a file.
func (l *Local) give(w http.ResponseWriter, r *http.Request, key string) error {
	params, err := l.links.verify(http.MethodGet, key, r.URL.RawQuery, l.clock.Now())
	if err != nil {
		return err
	}
	file, err := l.open(key)
	if err != nil {
		return l.trouble(err)
	}
	defer func() { _ = file.Close() }() // it was only read
	if strings.Contains(r.Header.Get("Range"), ",") {
		r.Header.Del("Range") // many small parts, each with a header, may be more than the whole; S3 takes one only, too
	}
	header := w.Header()
	header.Set("Content-Type", file.about.ContentType)
	header.Set("Content-Disposition", attachment(params.Get(paramFilename)))
	header.Set("Content-Security-Policy", "default-src 'none'; sandbox; frame-ancestors 'none'")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cross-Origin-Resource-Policy", "cross-origin")
	header.Set("Etag", `"`+file.about.ETag+`"`)
	http.ServeContent(w, r, "", file.about.Modified, file)
	return nil
}
