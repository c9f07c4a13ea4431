package httpserver

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/testkit"
)

// inside are words that would tell what the server is made of.
var inside = []string{"Go ", "golang", "struct", "json:", "jsontext", "unmarshal", "marshal", "huma", "gin", "reflect",
	"strconv", "int64", "float64", "mail:", "uuid:", "parse", "runtime", "goroutine", "httpserver", ".go", "panic"}

// wantClean fails if an answer holds a word from inside, or a value that was sent.
func wantClean(t *testing.T, answer []byte, sent ...string) {
	t.Helper()
	for _, word := range append(inside, sent...) {
		if strings.Contains(string(answer), word) {
			t.Errorf("the answer holds %q: %s", word, answer)
		}
	}
}

// wantRefusal checks the status of an answer and, where it refuses what was sent, the code. It returns whether it does.
func wantRefusal(answer *testkit.Response, status int) bool {
	switch status {
	case 400:
		answer.WantError(400, "BAD_REQUEST")
	case 422:
		answer.WantError(422, "VALIDATION_ERROR")
	default:
		answer.Want(status)
		return false
	}
	return true
}

// sent is part of every value in the tables below, and may be in no answer.
const sent = "s3cret"

func TestBodies(t *testing.T) {
	const valid = `{"name":"a"}`
	unreadable := errs.Field{Name: "body", Message: "must be one JSON value in UTF-8, without NUL characters and with no name twice"}

	for name, test := range map[string]struct {
		body   string
		status int
		fields []errs.Field // details.errors, exactly
	}{
		"good":                   {valid, 201, nil},
		"space around":           {" \n" + valid + "\n ", 201, nil},
		"an escaped backslash":   {`{"name":"\\u0000"}`, 201, nil},
		"text of any language":   {`{"name":"🚀 שלום"}`, 201, nil},
		"not JSON":               {sent, 400, []errs.Field{unreadable}},
		"cut off":                {`{"name":"` + sent, 400, []errs.Field{unreadable}},
		"only space":             {" ", 400, []errs.Field{unreadable}},
		"empty":                  {"", 400, nil},
		"a second value":         {valid + " {}", 400, []errs.Field{unreadable}},
		"a trailing comma":       {`{"name":"a",}`, 400, []errs.Field{unreadable}},
		"a byte order mark":      {"\ufeff" + valid, 400, []errs.Field{unreadable}},
		"a name twice":           {`{"name":"a","name":"` + sent + `"}`, 400, []errs.Field{unreadable}},
		"a name twice, within":   {`{"name":"a","extra":{"x":1,"x":2}}`, 400, []errs.Field{unreadable}},
		"a name twice, escaped":  {`{"name":"a","n\u0061me":"b"}`, 400, []errs.Field{unreadable}},
		"broken UTF-8":           {"{\"name\":\"\xff\"}", 400, []errs.Field{unreadable}},
		"half a surrogate":       {`{"name":"\ud800"}`, 400, []errs.Field{unreadable}},
		"NUL":                    {"{\"name\":\"\x00\"}", 400, []errs.Field{unreadable}},
		"escaped NUL":            {`{"name":"\u0000"}`, 400, []errs.Field{unreadable}},
		"escaped NUL, behind \\": {`{"name":"\\\u0000"}`, 400, []errs.Field{unreadable}},
		"escaped NUL in a name":  {`{"name":"a","extra":{"\u0000":1}}`, 400, []errs.Field{unreadable}},
		"too deep":               {strings.Repeat("[", 100_000), 400, []errs.Field{unreadable}},
		"deep, and whole":        {`{"name":"a","extra":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + `}`, 201, nil},

		"no object":            {`["` + sent + `"]`, 422, []errs.Field{{Name: "body", Message: "expected object"}}},
		"null":                 {`null`, 422, []errs.Field{{Name: "body", Message: "expected object"}}},
		"a missing field":      {`{}`, 422, []errs.Field{{Name: "name", Message: "is required"}}},
		"a missing one within": {`{"name":"a","parts":[{"weight":1},{}]}`, 422, []errs.Field{{Name: "parts[1].weight", Message: "is required"}}},
		"an unknown field":     {`{"name":"a","colour":"` + sent + `"}`, 422, []errs.Field{{Name: "colour", Message: "unexpected property"}}},
		"another case":         {`{"name":"a","Count":1}`, 422, []errs.Field{{Name: "Count", Message: "unexpected property"}}},
		"the name in another case": {`{"Name":"a"}`, 422, []errs.Field{
			{Name: "name", Message: "is required"}, {Name: "Name", Message: "unexpected property"}}},
		"a wrong type":         {`{"name":"a","count":"` + sent + `"}`, 422, []errs.Field{{Name: "count", Message: "expected integer"}}},
		"null for a text":      {`{"name":null}`, 422, []errs.Field{{Name: "name", Message: "expected string"}}},
		"null for an optional": {`{"name":"a","count":null}`, 422, []errs.Field{{Name: "count", Message: "can't be null"}}},
		"null on a list":       {`{"name":"a","parts":[{"weight":1},null]}`, 422, []errs.Field{{Name: "parts[1]", Message: "expected object"}}},
		"null where it may be": {`{"name":"a","note":null,"extra":{"a":[null]}}`, 201, nil},
		"too long":             {`{"name":"` + sent + ` and on"}`, 422, []errs.Field{{Name: "name", Message: "expected length <= 10"}}},
		"too small":            {`{"name":"a","count":-4711}`, 422, []errs.Field{{Name: "count", Message: "expected number >= 0"}}},
		"not on the list":      {`{"name":"a","kind":"` + sent + `"}`, 422, []errs.Field{{Name: "kind", Message: `expected value to be one of "red, blue"`}}},
		"no e-mail address":    {`{"name":"a","email":"` + sent + `"}`, 422, []errs.Field{{Name: "email", Message: "expected string to be RFC 5322 email"}}},
		"no UUID":              {`{"name":"a","owner":"urn:` + sent + strings.Repeat("x", 35) + `"}`, 422, []errs.Field{{Name: "owner", Message: "expected string to be RFC 4122 uuid"}}},
		"a fraction":           {`{"name":"a","count":1.5}`, 422, []errs.Field{{Name: "count", Message: "expected integer"}}},
		"an integer too large": {`{"name":"a","count":1e30}`, 422, []errs.Field{{Name: "count", Message: unfit}}},
		"twenty digits":        {`{"name":"a","count":99999999999999999999}`, 422, []errs.Field{{Name: "count", Message: unfit}}},
		"too large, within":    {`{"name":"a","parts":[{"weight":1},{"weight":4711}]}`, 422, []errs.Field{{Name: "parts[1].weight", Message: unfit}}},
		"a huge exponent":      {`{"name":"a","count":1e999999999}`, 422, []errs.Field{{Name: "count", Message: unfit}}},
		"a huge number":        {`{"name":"a","size":1e400}`, 422, []errs.Field{{Name: "size", Message: unfit}}},
		"several": {`{"name":"","count":true}`, 422, []errs.Field{
			{Name: "count", Message: "expected integer"}, {Name: "name", Message: "expected length >= 1"}}},
	} {
		t.Run(name, func(t *testing.T) {
			answer := start(t, nil).user.Do(t, "POST", "/api/v1/app/things", testkit.Body(test.body),
				testkit.Header("Content-Type", contentType), testkit.Header("X-Request-ID", "no-number"))
			wantClean(t, answer.Body, sent, "4711", "1e30")
			if !wantRefusal(answer, test.status) {
				return
			}
			if test.fields != nil {
				answer.WantJSON("error.details", map[string]any{"errors": test.fields})
			}
		})
	}
}

func TestManyBrokenFieldsAreNotAllRepeated(t *testing.T) {
	var body strings.Builder
	body.WriteString(`{"name":"a"`)
	for i := range 5000 {
		fmt.Fprintf(&body, `,"%d%s":1`, i, strings.Repeat("x", 150))
	}
	f := start(t, nil)
	answer := f.user.Do(t, "POST", "/api/v1/app/things", testkit.Body(body.String()+"}")).WantError(422, "VALIDATION_ERROR")
	listed := answer.JSON("error.details.errors").([]any)
	if len(listed) != 100 {
		t.Errorf("%d fields are listed, want 100", len(listed))
	}
	if name := listed[0].(map[string]any)["field"].(string); len([]rune(name)) != 101 || !strings.HasSuffix(name, "…") {
		t.Errorf("the name %q isn't cut to 100 characters", name)
	}

	query := strings.Repeat("x", 150) + "=1"
	for i := range 150 {
		query += fmt.Sprintf("&y%d=", i)
	}
	answer = f.user.Do(t, "GET", "/api/v1/app/things?"+query).WantError(422, "VALIDATION_ERROR")
	if listed := answer.JSON("error.details.errors").([]any); len(listed) != 100 {
		t.Errorf("%d parameters are listed, want 100", len(listed))
	}
	if name := answer.Text("error.details.errors.0.field"); len([]rune(name)) != 101 {
		t.Errorf("the name %q isn't cut to 100 characters", name)
	}
}

func TestMediaTypes(t *testing.T) {
	for media, status := range map[string]int{
		"application/json":                    201,
		"Application/JSON":                    201,
		"application/json; charset=utf-8":     201,
		`application/json;charset="UTF-8"`:    201,
		"":                                    201, // taken for JSON
		"application/json; charset=utf-16":    415,
		"application/problem+json":            415,
		"text/json":                           415,
		"text/plain":                          415,
		"application/x-www-form-urlencoded":   415,
		"multipart/form-data; boundary=x":     415,
		"json":                                415,
		"application/json, text/plain":        415,
		"application/json; charset=" + sent:   415,
		"application/json; charset":           415,
		"; " + sent:                           415,
		"application/json+" + sent + ";a=b;+": 415,
	} {
		t.Run(media, func(t *testing.T) {
			answer := start(t, nil).user.Do(t, "POST", "/api/v1/app/things", testkit.Body(`{"name":"a"}`), testkit.Header("Content-Type", media))
			wantClean(t, answer.Body, sent)
			if status == 201 {
				answer.Want(201)
				return
			}
			answer.WantError(415, "UNSUPPORTED_MEDIA_TYPE").WantJSON("error.message", "The body must be application/json")
		})
	}
}

// A compressed body isn't inflated, whatever it would be.
func TestCompressedBodies(t *testing.T) {
	f := start(t, nil)
	var small bytes.Buffer
	zip := gzip.NewWriter(&small)
	_, _ = io.WriteString(zip, `{"name":"a"}`) // into memory, which can't fail
	_ = zip.Close()
	for coding, status := range map[string]int{
		"": 201, "identity": 201, "Identity": 201,
		"gzip": 415, "GZIP": 415, "x-gzip": 415, "br": 415, "deflate": 415, "identity, gzip": 415, "gzip, identity": 415, sent: 415,
	} {
		body := `{"name":"a"}`
		if strings.Contains(strings.ToLower(coding), "gzip") {
			body = small.String()
		}
		for name, sending := range map[string]testkit.Part{
			"with a length": func(*http.Request) {}, "in chunks": func(r *http.Request) { r.ContentLength = -1 },
		} {
			answer := f.user.Do(t, "POST", "/api/v1/app/things", testkit.Body(body), testkit.Header("Content-Encoding", coding), sending)
			wantClean(t, answer.Body, sent)
			if status == 201 {
				answer.Want(201)
				continue
			}
			if answer.Status != status {
				t.Errorf("%q %s is answered %d", coding, name, answer.Status)
			}
			answer.WantError(415, "UNSUPPORTED_MEDIA_TYPE")
		}
	}
	twice := func(r *http.Request) { r.Header["Content-Encoding"] = []string{"identity", "gzip"} }
	f.user.Do(t, "POST", "/api/v1/app/things", testkit.Body(small.String()), twice).WantError(415, "UNSUPPORTED_MEDIA_TYPE")
	f.user.Do(t, "POST", "/api/v1/app/things", testkit.Body(small.String())).WantError(400, "BAD_REQUEST")
}

// A signature is over the bytes that were sent, so whoever asks for a raw body gets them as they are, and judges them.
func TestRawBodiesAreLeftAlone(t *testing.T) {
	type input struct {
		RawBody []byte `contentType:"application/json"`
	}
	f := start(t, func(r *Router) {
		Mutation(r, Route{Method: http.MethodPost, Path: "/raw", Guard: Signature, Summary: "Take a raw body"},
			func(_ context.Context, in *input) (Commit[Object[string]], error) {
				return func(context.Context) (*Object[string], error) {
					return &Object[string]{Body: hex.EncodeToString(in.RawBody)}, nil
				}, nil
			})
	})
	for _, body := range []string{`{}`, `{"a": 1, "a": 2}`, `"text"`, ` [1,  2] `, "no JSON \xff\x00", strings.Repeat("x", 1<<20)} {
		f.anyone.Do(t, "POST", "/api/v1/raw", testkit.Body(body)).Want(200).WantJSON("", hex.EncodeToString([]byte(body)))
	}
	f.anyone.Do(t, "POST", "/api/v1/raw").WantError(400, "BAD_REQUEST")
	f.anyone.Do(t, "POST", "/api/v1/raw", testkit.Body("a=b"), testkit.Header("Content-Type", "text/plain")).WantError(415, "UNSUPPORTED_MEDIA_TYPE")
	f.anyone.Do(t, "POST", "/api/v1/raw", testkit.Body(strings.Repeat("x", 1<<20+1))).WantError(413, "PAYLOAD_TOO_LARGE")
}

// A body has no meaning where none is asked for: it is ignored, whatever it is, but bound like any other.
func TestABodyOfAGetIsIgnored(t *testing.T) {
	f := start(t, nil)
	text := testkit.Header("Content-Type", "text/plain")
	f.user.Do(t, "GET", "/api/v1/app/things/one", testkit.Body("{"), text).Want(200).WantJSON("id", "one")
	f.user.Do(t, "GET", "/api/v1/app/things/one", testkit.Body(strings.Repeat(" ", 2<<20)), text).WantError(413, "PAYLOAD_TOO_LARGE")
}

func TestTheBodyLimit(t *testing.T) {
	f := start(t, nil, func(o *Options) { o.HTTP.BodyLimit = 1000 })
	const empty = `{"name":"a","tags":[""]}`
	sized := func(size int) string {
		return strings.Replace(empty, `""`, `"`+strings.Repeat("x", size-len(empty))+`"`, 1)
	}
	chunked := func(r *http.Request) { r.ContentLength = -1 }
	known := func(*http.Request) {}

	for name, sending := range map[string]testkit.Part{"with a length": known, "in chunks": chunked} {
		t.Run(name, func(t *testing.T) {
			f.user.Do(t, "POST", "/api/v1/app/things", testkit.Body(sized(1000)), sending).Want(201)
			for _, size := range []int{1001, 2 << 20} {
				answer := f.user.Do(t, "POST", "/api/v1/app/things", testkit.Body(sized(size)), sending)
				answer.WantError(413, "PAYLOAD_TOO_LARGE").WantJSON("error.details", map[string]any{"limit_bytes": 1000})
				wantClean(t, answer.Body, "xxx")
			}
		})
	}
	t.Run("the connection ends", func(t *testing.T) {
		head := exchange(t, f.url, "POST /api/v1/app/things HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer user\r\nContent-Length: 1001\r\n\r\n")
		if !strings.HasPrefix(head, "HTTP/1.1 413 ") || !strings.Contains(head, "\r\nConnection: close\r\n") {
			t.Errorf("got %s", head)
		}
	})
}

// A body that breaks off is the client's fault.
func TestBrokenBodies(t *testing.T) {
	f := start(t, nil)
	for name, body := range map[string]string{
		"broken chunks": "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
		"no last chunk": "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n-1\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			answer := exchange(t, f.url, "POST /api/v1/app/things HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer user\r\n"+body)
			if !strings.HasPrefix(answer, "HTTP/1.1 400 ") || !strings.Contains(answer, `{"error":{"code":"BAD_REQUEST","message":"The body can't be read to its end"`) {
				t.Errorf("got %s", answer)
			}
		})
	}
}

func TestQueries(t *testing.T) {
	list := func(values ...any) map[string]any {
		var fields []map[string]any
		for i := 0; i < len(values); i += 2 {
			fields = append(fields, map[string]any{"field": values[i], "message": values[i+1]})
		}
		return map[string]any{"errors": fields}
	}
	for query, test := range map[string]struct {
		status  int
		details map[string]any
	}{
		"":                           {200, nil},
		"limit=1&skip=0":             {200, nil},
		"limit=100&skip=10000":       {200, nil},
		"q=":                         {200, nil},
		"limit=":                     {422, list("limit", "is empty")},
		"q=%E2%9C%93":                {200, nil},
		"limit=0":                    {422, list("limit", "expected number >= 1")},
		"limit=101":                  {422, list("limit", "expected number <= 100")},
		"limit=abc":                  {422, list("limit", "invalid integer")},
		"limit=1.0":                  {422, list("limit", "invalid integer")},
		"limit=99999999999999999999": {422, list("limit", "invalid integer")},
		"limit=1&limit=2":            {422, list("limit", "must be given once")},
		"skip=-1&limit=x":            {422, list("skip", "expected number >= 0", "limit", "invalid integer")},
		"skip=10001":                 {422, list("skip", "expected number <= 10000")},
		"skip=1&cursor=c":            {422, list("skip", "can't be combined with cursor")},
		"q=" + sent + sent:           {422, list("q", "expected length <= 10")},
		"colour=" + sent:             {422, list("colour", "unknown query parameter")},
		"Limit=1&b=2":                {422, list("Limit", "unknown query parameter", "b", "unknown query parameter")},
		"q=%zz":                      {400, map[string]any{}},
		"q=%":                        {400, map[string]any{}},
		"q=%00":                      {400, map[string]any{}},
		"q=%ff":                      {400, map[string]any{}},
		"%ff=1":                      {400, map[string]any{}},
		"q=a;limit=1":                {400, map[string]any{}},
	} {
		t.Run(query, func(t *testing.T) {
			answer := start(t, nil).user.Do(t, "GET", "/api/v1/app/things?"+query)
			wantClean(t, answer.Body, sent)
			if !wantRefusal(answer, test.status) {
				return
			}
			answer.WantJSON("error.details", test.details)
		})
	}
}

func TestPaths(t *testing.T) {
	f := start(t, nil)
	for path, id := range map[string]any{
		"/api/v1/app/things/two":                    "two",
		"/api/v1/app/things/a%2Fb":                  "a/b",
		"/api/v1/app/things/..%2F..%2Fetc%2Fpasswd": "../../etc/passwd",
		"/api/v1/app/things/%E2%9C%93":              "✓",
		"/api/v1/app/things/a%00b":                  nil, // nil: not even asked for
		"/api/v1/app/things/%ff":                    nil,
		"/api/v1/app/things/%2F%00":                 nil,
		"/api/v1/app/things/one/":                   nil,
		"/api/v1/app/things/":                       nil,
		"/api/v1/app//things":                       nil,
		"/api/v1/app/../../docs":                    nil,
		"/api/v1/nothing":                           nil,
		"/":                                         nil,
		"/docs":                                     nil,
	} {
		t.Run(path, func(t *testing.T) {
			answer := f.user.Do(t, "GET", path).WantError(404, "NOT_FOUND")
			if id == nil {
				answer.WantJSON("error.message", "There is nothing at this address").WantJSON("error.details", map[string]any{})
			} else {
				answer.WantJSON("error.message", "Thing not found").WantJSON("error.details", map[string]any{"resource": "Thing", "id": id})
			}
		})
	}
	f.user.Do(t, "GET", "/api/v1/app/things/"+strings.Repeat("x", 51)).WantError(422, "VALIDATION_ERROR").
		WantJSON("error.details.errors.0", map[string]any{"field": "id", "message": "expected length <= 50"})
	f.user.Do(t, "GET", "/api/v1/app/things/"+strings.Repeat("x", 30_000)).WantError(422, "VALIDATION_ERROR")
}

func TestMethods(t *testing.T) {
	f := start(t, nil)
	for _, method := range []string{"PUT", "TRACE", "OPTIONS", "PROPFIND"} {
		f.user.Do(t, method, "/api/v1/app/things").WantError(405, "METHOD_NOT_ALLOWED").WantHeader("Allow", "GET, HEAD, POST")
	}
	f.user.Do(t, "POST", "/api/v1/app/things/one").WantError(405, "METHOD_NOT_ALLOWED").WantHeader("Allow", "GET, HEAD, PATCH, DELETE")
	f.anyone.Do(t, "PUT", "/nowhere").WantError(404, "NOT_FOUND").WantHeader("Allow", "")

	// HEAD is GET without the body, guards included.
	get := f.user.Do(t, "GET", "/api/v1/app/things/one").Want(200)
	head := f.user.Do(t, "HEAD", "/api/v1/app/things/one").Want(200)
	for _, header := range []string{"Etag", "Content-Type", "Content-Length"} {
		head.WantHeader(header, get.Header.Get(header))
	}
	if len(head.Body) != 0 {
		t.Errorf("HEAD was answered %q", head.Body)
	}
	f.user.Do(t, "HEAD", "/api/v1/app/things/one", testkit.Header("If-None-Match", `"7"`)).Want(304)
	f.anyone.Do(t, "HEAD", "/api/v1/app/things/one").Want(401)
	f.anyone.Do(t, "HEAD", "/health").Want(200)
	f.anyone.Do(t, "HEAD", "/health/ready").Want(200)
}

// A header can't be made to hold another one, neither by the request id nor by an id in a path.
func TestHeadersCanNotBeInjected(t *testing.T) {
	f := start(t, nil)
	for _, raw := range []string{
		"GET /api/v1/app/things/a%0d%0aSet-Cookie:%20x=1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer user\r\n",
		"GET /health?%0d%0aSet-Cookie:x=1 HTTP/1.1\r\nHost: x\r\n",
		"GET /health HTTP/1.1\r\nHost: x\r\nX-Request-ID: a\rSet-Cookie: x=1\r\n",
		"GET /health HTTP/1.1\r\nHost: x\r\nX-Request-ID: a\r\n Set-Cookie: x=1\r\n",
		"GET /health HTTP/1.1\r\nHost: x\r\nOrigin: http://a\r\n Set-Cookie: x=1\r\n",
	} {
		head, _, _ := strings.Cut(exchange(t, f.url, raw+"Connection: close\r\n\r\n"), "\r\n\r\n")
		if !strings.HasPrefix(head, "HTTP/1.1 ") || strings.Contains(head, "Set-Cookie") {
			t.Errorf("%q was answered\n%s", raw, head)
		}
	}
}

// exchange sends raw bytes and returns the whole answer, once the server has closed the connection or fallen silent.
func exchange(t *testing.T, url, raw string) string {
	t.Helper()
	conn := dial(t, url)
	if _, err := io.WriteString(conn, raw); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	var head strings.Builder
	if err := answer.Header.Write(&head); err != nil {
		t.Fatal(err)
	}
	if answer.Close {
		head.WriteString("Connection: close\r\n")
	}
	return fmt.Sprintf("%s %s\r\n%s\r\n%s", answer.Proto, answer.Status, head.String(), body)
}

// dial opens a connection that fails the test rather than hang.
func dial(t *testing.T, url string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// What json.Unmarshal of the standard library reads is what clients mean.
func TestWhatIsReadIsWhatWasSent(t *testing.T) {
	const text = `{"name":"ä\"\\/\u00e9","note":null,"count":3,"tags":["a","b"]}`
	var want map[string]any
	if err := json.Unmarshal([]byte(text), &want); err != nil {
		t.Fatal(err)
	}
	want["id"] = "two"
	got := start(t, nil).user.Do(t, "POST", "/api/v1/app/things", testkit.Body(text)).Want(201).JSON("")
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
