package langchain

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/omnistack/omnistack/modules/ai/internal/app"
	"github.com/omnistack/omnistack/modules/ai/internal/domain"
	"github.com/omnistack/omnistack/platform/upstream"
)

// exchange is one call on its way through langchaingo.
type exchange struct {
	call   *domain.Call
	sink   app.Sink // nil when the answer isn't streamed
	result domain.Result
	err    error
}

type exchangeKey struct{}

// dialect is how a provider is spoken to.
type dialect interface {
	// request returns the path below the base URL, and what is asked, to be written as JSON.
	request(call *domain.Call, stream bool) (path string, body any)
	// answer reads an answer that came in one piece.
	answer(body []byte) (domain.Result, error)
	// stream returns what reads the events of one streamed answer.
	stream(sink app.Sink) streaming
}

// streaming reads the events of a streamed answer.
type streaming interface {
	// event takes an event, and tells whether it was the last one of an answer that is whole.
	event(e event) (done bool, err error)
	// result returns what is known of the answer so far.
	result() domain.Result
}

// doer stands in for langchaingo's HTTP client.
type doer struct {
	dialect  dialect
	provider string
	base     *url.URL
	bounds   Bounds
	send     func(*http.Request) (*http.Response, error)
	short    []byte // the answer that langchaingo gets, whatever the provider said
}

func newDoer(dialect dialect, options Options) (*doer, error) {
	base, err := url.Parse(options.BaseURL)
	if err != nil {
		return nil, fmt.Errorf("%s: its address can't be used", options.Provider)
	}
	return &doer{
		dialect: dialect, provider: options.Provider, base: base, bounds: options.Bounds,
		send: upstream.Stream(options.Transport), //nolint:bodyclose // it makes calls, and isn't one
		short: []byte(`{"choices":[{"message":{"role":"assistant","content":"-"},"finish_reason":"stop"}],"type":"message",` +
			`"content":[{"type":"text","text":"-"}],"stop_reason":"end_turn"}`),
	}, nil
}

// maxAnswer is how many bytes an answer in one piece may have, maxRefusal those that are read of a refusal.
const (
	maxAnswer  = 16 << 20
	maxRefusal = 64 << 10
)

// loose reads what providers send: a name twice or a byte that is no UTF-8 isn't worth losing an answer for.
func loose() json.Options {
	return json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}

var errNoVectors = errors.New("vectors can't be asked for here")

var errLate = errors.New("no more of the answer came in time")

// Do makes the call that is in the request's context, in place of the request that langchaingo made.
func (d *doer) Do(request *http.Request) (*http.Response, error) {
	x, found := request.Context().Value(exchangeKey{}).(*exchange)
	if !found {
		return nil, errors.New("langchain: a request that nobody asked for")
	}
	x.result, x.err = d.call(request, x)
	if x.err != nil {
		return nil, x.err
	}
	return &http.Response{
		StatusCode: http.StatusOK, Body: io.NopCloser(bytes.NewReader(d.short)), Request: request,
		Header: http.Header{"Content-Type": {"application/json"}},
	}, nil
}

func (d *doer) call(request *http.Request, x *exchange) (domain.Result, error) {
	dialect := d.dialect
	if len(x.call.Embed.Inputs) > 0 {
		if _, is := dialect.(*chat); !is || x.sink != nil {
			return domain.Result{}, d.failed(domain.NoModel, errNoVectors)
		}
		dialect = embeddings{len(x.call.Embed.Inputs)}
	}
	path, content := dialect.request(x.call, x.sink != nil)
	body, err := json.Marshal(content)
	if err != nil {
		return domain.Result{}, d.failed(domain.Refused, err) // a schema that is no JSON
	}
	first, whole := d.bounds.Whole, d.bounds.Whole
	if x.sink != nil {
		first, whole = d.bounds.First, d.bounds.Stream
	}
	asker := request.Context()
	ctx, cancel := context.WithCancelCause(asker)
	defer cancel(nil)
	ctx, stop := context.WithTimeoutCause(ctx, whole, errLate)
	defer stop()
	watch := time.AfterFunc(first, func() { cancel(errLate) })
	defer watch.Stop()

	sent := request.Clone(ctx) // which shows the key
	to := *d.base
	to.Path, to.RawPath = strings.TrimSuffix(to.Path, "/")+path, ""
	sent.URL, sent.Host = &to, to.Host
	sent.ContentLength = int64(len(body))
	sent.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	sent.Body = io.NopCloser(bytes.NewReader(body))
	sent.Header.Set("Content-Type", "application/json")
	sent.Header.Set("User-Agent", "OmniStack")
	if x.sink != nil {
		sent.Header.Set("Accept", "text/event-stream")
	}
	answer, err := d.send(sent)
	if err != nil {
		return domain.Result{}, d.lost(asker, ctx, domain.Unreachable, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return domain.Result{}, d.refused(answer)
	}
	var result domain.Result
	if x.sink == nil {
		result, err = readWhole(dialect, answer)
	} else {
		result, err = d.stream(answer, x.sink, watch)
	}
	if err == nil {
		return result, nil
	}
	return domain.Result{}, d.broken(asker, ctx, answer, result.Usage, err)
}

// readWhole reads an answer in one piece.
func readWhole(dialect dialect, answer *http.Response) (domain.Result, error) {
	if !isOf(answer, "application/json") {
		return domain.Result{}, errNotAnswer
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	if err != nil {
		return domain.Result{}, err
	}
	if len(body) > maxAnswer {
		return domain.Result{}, errTooLong
	}
	return dialect.answer(body)
}

// stream reads a streamed answer. Pieces of text that came together are one for whoever listens. Each event of it gives it more time: as much as for the first content until that comes, as
// a model may think in between.
func (d *doer) stream(answer *http.Response, sink app.Sink, watch *time.Timer) (domain.Result, error) {
	if !isOf(answer, "text/event-stream") {
		return domain.Result{}, errNotAnswer
	}
	events, to := newEvents(answer.Body), &ear{sink: sink}
	reading := d.dialect.stream(to)
	for {
		e, err := events.next()
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF // it ended, and didn't say so
		}
		var done bool
		if err == nil {
			to.more = events.more()
			done, err = reading.event(e)
		}
		if !to.more || done || err != nil {
			if full := to.flush(); full != nil {
				return reading.result(), full
			}
		}
		if done || err != nil {
			return reading.result(), err
		}
		if to.heard {
			watch.Reset(d.bounds.Idle)
		} else {
			watch.Reset(d.bounds.First)
		}
	}
}

// ear is whoever listens to a stream. It knows whether it heard anything, and whose the errors are.
type ear struct {
	sink  app.Sink
	heard bool
	more  bool   // another event is at hand, so that text can wait for its
	text  []byte // what waits
}

// Text hears a piece of text.
func (l *ear) Text(piece string) error {
	l.heard = true
	if l.text = append(l.text, piece...); l.more {
		return nil
	}
	return l.flush()
}

// Reasoning hears a piece of what a model thinks.
func (l *ear) Reasoning(piece string) error {
	if err := l.flush(); err != nil {
		return err
	}
	return l.of(l.sink.Reasoning(piece))
}

// Tool hears a piece of a tool call.
func (l *ear) Tool(piece domain.ToolDelta) error {
	if err := l.flush(); err != nil {
		return err
	}
	return l.of(l.sink.Tool(piece))
}

// flush says the text that waits.
func (l *ear) flush() error {
	if len(l.text) == 0 {
		return nil
	}
	text := string(l.text)
	l.text = l.text[:0]
	return l.of(l.sink.Text(text))
}

func (l *ear) of(err error) error {
	l.heard = true
	if err != nil {
		return listenerError{err}
	}
	return nil
}

func isOf(answer *http.Response, mediaType string) bool {
	given, _, err := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	return err == nil && given == mediaType
}
