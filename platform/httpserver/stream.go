package httpserver

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/gin-gonic/gin"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/omnistack/omnistack/platform/errs"
)

// Events are the events of a stream by their names, each with a value of the type of its data. They document the stream,
// and it can send no others. One of them is "done", which comes last; "error" is the server's own.
type Events map[string]any

// Feed sends the events of one stream until there are no more, and returns the data of "done". It is called with a context
// that has no deadline, and ends when the client hangs up, may no longer listen or the server stops: then it returns. An
// error of a feed that has sent nothing is the answer as from any operation; a later one, and a panic, is sent as "error".
type Feed func(ctx context.Context, send Send) (done any, err error)

// Reply is how a stream answers one call.
type Reply struct {
	Header map[string]string // of the answer, beside the usual ones
	Feed   Feed

	// Whole says that there are no events: what the feed returns is the answer, in JSON. The route says so, too, so that it is
	// in the document. Such an answer may take as long as a stream, and isn't ended by the server's stop.
	Whole bool
}

// Send sends an event. When it returns an error the stream is over, and so is the feed. It is safe for concurrent use.
type Send func(name string, data any) error

// The events that end a stream. There is exactly one of them, unless the connection breaks.
const (
	eventDone  = "done"
	eventError = "error"

	dataDone = "[DONE]" // the last of OpenAI's
)

const (
	pingEvery     = 15 * time.Second // proxies cut off what is silent for longer
	writePatience = 15 * time.Second // for a client to take an event

	// Together with the two seconds for which a principal is remembered, a change counts within five; that it can't be told
	// any more, within seven.
	askEvery    = 2 * time.Second
	askPatience = time.Second

	streamsPerUser = 8
	streamsInAll   = 10_000 // but no more than half of the connections
	streamsRetry   = 5      // seconds after which somebody who has too many may try again
)

const streamType = "text/event-stream"

// The values of the headers of a stream. Nobody on the way may compress it, or wait until there is more of it.
var (
	headerStream      = []string{streamType}
	headerUntouched   = []string{"no-store, no-transform"}
	headerNoBuffering = []string{"no"}
)

// Stream registers an operation that answers with server-sent events (WHATWG HTML, section 9.2), and like a Query changes
// nothing. open checks the input and asks whom it must: its errors are answers as usual. The Feed it returns then sends.
//
// A route of the dialect OpenAI sends events without a name, ends a stream that ended well by "[DONE]", and drops what the
// feed returns then.
//
// The header goes out with the first event, or with the first ping if that comes sooner, so that what fails before keeps its
// status. While the stream is open its caller is authenticated every two seconds, and at once when AskAgain says so: who may
// no longer call the route, or is no longer who he was, is told so by "error", as is everybody when the server stops.
func Stream[I any](r *Router, route Route, events Events, open func(ctx context.Context, in *I) (Reply, error)) {
	if route.Guard != User && (route.Guard != Admin || route.Method != http.MethodGet) {
		panic(fmt.Sprintf("httpserver: %s %s: a stream is for users, or for administrators who only look", route.Method, route.Path))
	}
	types := map[string]reflect.Type{}
	for name, data := range events {
		types[name] = reflect.TypeOf(data)
	}
	if types[eventDone] == nil || types[eventError] != nil {
		panic(fmt.Sprintf("httpserver: %s %s: a stream has an event %s, and no %s of its own", route.Method, route.Path, eventDone, eventError))
	}
	operation := r.add(route, reflect.TypeFor[I]())
	operation.Responses[strconv.Itoa(http.StatusOK)] = r.server.describeStream(route, types)

	huma.Register(r.server.api, operation, func(_ context.Context, in *I) (*huma.StreamResponse, error) {
		return &huma.StreamResponse{Body: func(ctx huma.Context) {
			r.server.stream(humagin.Unwrap(ctx), types, func(ctx context.Context) (Reply, error) { return open(ctx, in) })
		}}, nil
	})
}

// describeStream describes an answer of events: an array of them, which is as near as OpenAPI 3.1 comes.
func (s *Server) describeStream(route Route, events map[string]reflect.Type) *huma.Response {
	all := maps.Clone(events)
	all[eventError] = reflect.TypeFor[Error]()
	text := "Server-sent events, the data of each in JSON. The last is done, or error if something goes wrong"
	if route.Dialect == OpenAI {
		delete(all, eventDone)
		text = "Server-sent events without names, the data of each in JSON. The last is [DONE], or an error if something goes wrong"
	}
	described := make([]*huma.Schema, 0, len(all)+1)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		event := &huma.Schema{Type: huma.TypeObject, Properties: map[string]*huma.Schema{"data": s.describeData(all[name], name)}, Required: []string{"data"}}
		if route.Dialect != OpenAI {
			event.Properties["event"] = &huma.Schema{Type: huma.TypeString, Enum: []any{name}}
			event.Required = []string{"event", "data"}
		}
		described = append(described, event)
	}
	if route.Dialect == OpenAI {
		described = append(described, &huma.Schema{
			Type: huma.TypeObject, Properties: map[string]*huma.Schema{"data": {Type: huma.TypeString, Enum: []any{dataDone}}}, Required: []string{"data"},
		})
	}
	answer := &huma.Response{Description: text, Content: map[string]*huma.MediaType{streamType: {Schema: &huma.Schema{
		Type: huma.TypeArray, Description: "The events, one after the other", Items: &huma.Schema{OneOf: described},
	}}}}
	if route.Whole {
		answer.Description = "The answer in one piece or, where a stream is asked for: " + text
		answer.Content[contentType] = &huma.MediaType{Schema: s.describeData(events[eventDone], eventDone)}
	}
	return answer
}

func (s *Server) describeData(of reflect.Type, name string) *huma.Schema {
	schema := s.api.OpenAPI().Components.Schemas.Schema(of, true, name)
	s.correctAnswer(schema)
	return schema
}

// stream is one that is open.
type stream struct {
	server  *Server
	c       *gin.Context
	record  *call
	events  map[string]reflect.Type
	control *http.ResponseController

	ctx   context.Context         // ends with the stream, and its cause says why
	end   context.CancelCauseFunc // of ctx
	again chan struct{}           // holds something when the caller is to be asked for at once

	mu     sync.Mutex // over the writer and what follows
	buffer bytes.Buffer
}

// stream answers a request as the reply says that open returns.
func (s *Server) stream(c *gin.Context, events map[string]reflect.Type, open func(context.Context) (Reply, error)) {
	st := &stream{
		server: s, c: c, record: callIn(c), events: events,
		control: http.NewResponseController(c.Writer), again: make(chan struct{}, 1),
	}
	reply, err := open(st.record)
	if err != nil {
		refuse(c, err)
		return
	}
	for name, value := range reply.Header {
		c.Header(name, value)
	}
	if reply.Whole {
		st.answerWhole(reply.Feed)
		return
	}
	st.ctx, st.end = context.WithCancelCause(st.record.client) // REQUEST_TIMEOUT doesn't bound it
	defer st.end(nil)
	if err := s.streams.admit(st); err != nil {
		refuse(c, err)
		return
	}
	defer s.streams.dismiss(st)
	if c.Request.Method == http.MethodHead {
		st.setHeader()
		return
	}
	st.run(reply.Feed)
}

// answerWhole answers with what the feed returns.
func (st *stream) answerWhole(feed Feed) {
	_ = st.control.SetReadDeadline(time.Time{}) // as in run
	record := *st.record
	record.Context = st.record.client
	var body []byte
	done, err := st.call(&record, feed, func(string, any) error { return errors.New("httpserver: an answer in one piece has no events") })
	if err == nil {
		body, err = json.Marshal(done, json.Deterministic(true))
	}
	st.extend()
	if err != nil {
		refuse(st.c, err)
		return
	}
	st.c.Header("Content-Type", contentType)
	st.c.Status(http.StatusOK)
	_, _ = st.c.Writer.Write(body) // who is gone gets nothing
}

// run sends what the feed has to say, and how that ended.
func (st *stream) run(feed Feed) {
	_ = st.control.SetReadDeadline(time.Time{}) // huma's for a body that never came would pass for a client that hung up
	record := *st.record
	record.Context = st.ctx

	var watching sync.WaitGroup
	stop := func() {
		st.end(nil)
		watching.Wait()
	}
	defer stop()
	watching.Go(func() { st.watch(&record) })

	done, err := st.call(&record, feed, st.send)
	if st.ctx.Err() != nil {
		err = context.Cause(st.ctx) // whatever the feed's layers made of it
	}
	stop() // so that no ping comes after the end
	st.finish(done, err)
}

// call runs the feed. A panic in it is an error.
func (st *stream) call(ctx context.Context, feed Feed, send Send) (done any, err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = st.server.panicked(st.record, reason)
		}
	}()
	return feed(ctx, send)
}

// watch pings the client and asks for the caller again, until the stream ends.
func (st *stream) watch(ctx context.Context) {
	unknown := false // the last time nobody could tell
	ping, ask := time.NewTicker(pingEvery), time.NewTicker(askEvery)
	defer ping.Stop()
	defer ask.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ping.C:
			st.ping()
			continue
		case <-ask.C:
		case <-st.again:
		}
		// What can't be told is asked once more. Then it ends the stream too, which isn't a way around an account that nobody can
		// look up; but one slow answer of the database mustn't end the streams of everybody.
		err := st.ask(ctx)
		if unknown = err != nil && errs.From(err).Kind.Retryable() && !unknown; unknown {
			continue
		}
		if err != nil {
			st.end(err)
			return
		}
	}
}

// ask authenticates the caller again.
func (st *stream) ask(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	who, err := st.server.options.Auth.Authenticate(ctx, st.c.Request.Header["Authorization"])
	if who.Plan = st.record.principal.Plan; err == nil && who != st.record.principal { // another plan ends no stream
		return errs.New(errs.Forbidden, "What you may do has changed: open the stream again")
	}
	return err
}

// finish sends the last event, or the whole answer if nothing was sent before it failed.
func (st *stream) finish(done any, err error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	switch {
	case err == nil && st.record.route.Dialect == OpenAI:
		st.buffer.Reset()
		st.buffer.WriteString("data: " + dataDone + "\n\n")
		_ = st.flush() // as for the last of others
	case err == nil:
		err = st.event(eventDone, done)
	}
	switch {
	case err == nil:
	case st.c.Writer.Written():
		_ = st.write(eventError, fail(st.c, err), jsontext.AllowInvalidUTF8(true)) // as writeJSON does it
	default:
		st.extend()
		refuse(st.c, err)
	}
}

// send is the feed's Send.
func (st *stream) send(name string, data any) error {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.ctx.Err() != nil {
		return context.Cause(st.ctx)
	}
	if name == eventDone {
		return errors.New("httpserver: the data of the event done is what a feed returns")
	}
	return st.event(name, data)
}

// event writes an event that is in the document.
func (st *stream) event(name string, data any) error {
	if documented, known := st.events[name]; !known || reflect.TypeOf(data) != documented {
		return fmt.Errorf("httpserver: the stream has no event %s with a %T", name, data)
	}
	return st.write(name, data, json.Deterministic(true))
}

// write writes an event. What can't be marshalled is an error, and nothing of it is written.
func (st *stream) write(name string, data any, options ...json.Options) error {
	st.buffer.Reset()
	if st.record.route.Dialect != OpenAI {
		st.buffer.WriteString("event: " + name + "\n")
	}
	st.buffer.WriteString("data: ")
	if err := json.MarshalWrite(&st.buffer, data, options...); err != nil { // on one line
		return fmt.Errorf("the event can't be marshalled: %w", err)
	}
	st.buffer.WriteString("\n\n")
	return st.flush()
}

// ping writes a comment, so that nobody on the way takes the connection for dead.
func (st *stream) ping() {
	if !st.mu.TryLock() {
		return // an event is being written
	}
	defer st.mu.Unlock()
	st.buffer.Reset()
	st.buffer.WriteString(": ping\n\n")
	_ = st.flush() // a client that is gone ends the stream's context
}

// flush writes the buffer, after the header if that isn't out yet. For a client that has hung up, or doesn't take it in time,
// net/http ends the request's context.
func (st *stream) flush() error {
	if !st.c.Writer.Written() {
		st.setHeader()
	}
	st.extend()
	if _, err := st.c.Writer.Write(st.buffer.Bytes()); err != nil {
		return err
	}
	st.c.Writer.Flush()
	return st.record.client.Err()
}

// extend gives the client its time to take what is written next, however long the stream has been open.
func (st *stream) extend() { _ = st.control.SetWriteDeadline(time.Now().Add(writePatience)) }

func (st *stream) setHeader() {
	header := st.c.Writer.Header()
	header["Content-Type"] = headerStream
	header["Cache-Control"] = headerUntouched
	header["X-Accel-Buffering"] = headerNoBuffering
	st.c.Status(http.StatusOK)
}

// streams are those that are open, by their users. The zero value is ready.
type streams struct {
	mu      sync.Mutex
	most    int // how many there may be; 0 is streamsInAll
	stopped bool
	open    int
	of      map[string]map[*stream]bool
}

var (
	errStopping = errs.New(errs.Unavailable, "The server is being restarted: open the stream again")
	errStreams  = errs.New(errs.RateLimited, "Too many streams are open: close one first").With(detailRetryAfter, streamsRetry)
)

// admit adds a stream, unless there are too many.
func (s *streams) admit(st *stream) error {
	user := st.record.principal.UserID
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.stopped:
		return errStopping
	case s.open >= cmp.Or(s.most, streamsInAll) || len(s.of[user]) >= streamsPerUser:
		return errStreams
	case s.of == nil:
		s.of = map[string]map[*stream]bool{}
	}
	if s.of[user] == nil {
		s.of[user] = map[*stream]bool{}
	}
	s.of[user][st] = true
	s.open++
	return nil
}

// dismiss removes a stream.
func (s *streams) dismiss(st *stream) {
	user := st.record.principal.UserID
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open--
	if delete(s.of[user], st); len(s.of[user]) == 0 {
		delete(s.of, user)
	}
}

// bound leaves half of the connections to calls that end by themselves.
func (s *streams) bound(connections int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.most = min(streamsInAll, max(1, connections/2))
}

// stop ends all streams, and admits no more.
func (s *streams) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	for _, his := range s.of {
		for st := range his {
			st.end(errStopping)
		}
	}
}

// AskAgain makes the open streams of a user find out at once whether he may still listen. Call it when a change to what he
// may do has been committed; what nobody tells of counts a few seconds later.
func (s *Server) AskAgain(userID string) {
	s.streams.mu.Lock()
	defer s.streams.mu.Unlock()
	for st := range s.streams.of[userID] {
		select {
		case st.again <- struct{}{}:
		default: // it is about to
		}
	}
}
