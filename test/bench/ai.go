package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// What a call of a model costs is measured beside the call itself and the naive gateway (package naive). The provider is this
// process, and answers at once, so that what is added shows.

const chatCompletions = "/v1/chat/completions"

// chunks is how many pieces a streamed answer has.
const chunks = 200

// aiEndpoints are the calls: an answer in one piece, and in many.
var aiEndpoints = []endpoint{
	{name: "json", status: 200, request: func(who person, turn int) []byte { return ask(who, turn, false) }},
	{name: "stream", status: 200, request: func(who person, turn int) []byte { return ask(who, turn, true) }},
}

func ask(who person, turn int, stream bool) []byte {
	return request("POST", chatCompletions, who.token, fmt.Sprintf(
		`{"model":"openai/gpt-4o","messages":[{"role":"user","content":"Say hello for the %dth time"}],"stream":%t}`, turn, stream))
}

// What a call may cost above the call itself.
const (
	aimJSON   = 150 // µs of CPU
	aimStream = 500 // µs of CPU
	aimAdded  = 0.5 // ms until half of the answers are there
	aimFirst  = 0.8 // ms until half of the streams have begun
	aimMemory = 100 // MiB
)

// paces are how many calls a second are made while waiting is measured, by the endpoint.
var paces = [2]int{200, 50}

// provide is an OpenAI that answers at once: 900 bytes, or a stream of pieces, each of which it sends by itself.
func provide(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // nobody is there
	}
	const usage = `"usage":{"prompt_tokens":7,"completion_tokens":150,"total_tokens":157}}`
	if !bytes.Contains(body, []byte(`"stream":true`)) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"id":"c1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":`+
			`{"role":"assistant","content":%q},"finish_reason":"stop"}],`+usage, strings.Repeat("word ", 150))
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	control := http.NewResponseController(w)
	const piece = `data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[`
	for range chunks {
		_, _ = io.WriteString(w, piece+`{"index":0,"delta":{"content":"word "},"finish_reason":null}]}`+"\n\n")
		if control.Flush() != nil {
			return // nobody is there
		}
	}
	_, _ = io.WriteString(w, piece+`{"index":0,"delta":{},"finish_reason":"stop"}]}`+"\n\n"+piece+`],`+usage+"\n\ndata: [DONE]\n\n")
}

// startProvider serves the provider until the bench is closed, and returns its address.
func (b *bench) startProvider() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	provider := &http.Server{Handler: http.HandlerFunc(provide)}
	b.closing = append(b.closing, func() { _ = provider.Close() })
	go func() { _ = provider.Serve(listener) }() // ends with the bench
	return listener.Addr().String(), nil
}

// asking returns what the settings of a gateway to the provider are.
func asking(provider string) []string {
	return []string{"OPENAI_API_KEY=sk-any", "OPENAI_BASE_URL=http://" + provider + "/v1"}
}

// onEngines starts the product over each of the databases, and greets everybody there.
func (b *bench) onEngines(ctx context.Context, opts options, run func(database string) (*server, error)) (map[string]*server, error) {
	found := map[string]*server{}
	for _, engine := range opts.engines {
		var database string
		var err error
		switch engine {
		case "sqlite":
			database = "sqlite:///" + filepath.Join(b.folder, "data", "ai.db")
		case "postgres":
			_, database, err = b.database(ctx, "ai", "")
		default:
			err = fmt.Errorf("there is no database %q", engine)
		}
		if err != nil {
			return nil, err
		}
		product, err := run(database)
		if err != nil {
			return nil, err
		}
		b.closing = append(b.closing, product.stop)
		if err := greet(ctx, product.address, b.people()); err != nil {
			return nil, err
		}
		found[engine] = product
	}
	return found, nil
}

// people are those behind the tokens, without projects.
func (b *bench) people() []person {
	people := make([]person, len(b.tokens))
	for i, token := range b.tokens {
		people[i].token = token
	}
	return people
}

// greet has everybody ask once: the product knows them then.
func greet(ctx context.Context, address string, people []person) error {
	c, err := dial(ctx, address)
	if err != nil {
		return err
	}
	defer c.close()
	for _, who := range people {
		if err := c.expect(aiEndpoints[0].request(who, 0), 200); err != nil {
			return err
		}
	}
	return nil
}

// gateway is one of those that are compared.
type gateway struct {
	name string
	*server
	cpu    [2][]float64       // µs a call, round by round, by the endpoint
	waits  [2][]time.Duration // until the answer of half of the calls at a steady pace, and until the first piece of the streams
	memory memory             // after all
}

// compareAI measures the gateways in turns and prints it.
func (b *bench) compareAI(ctx context.Context, opts options) error {
	provider, err := b.startProvider()
	if err != nil {
		return err
	}
	products, err := b.onEngines(ctx, opts, func(database string) (*server, error) {
		return start(ctx, b.folder, append(b.with(database), asking(provider)...), b.product, "serve")
	})
	if err != nil {
		return err
	}
	naive, err := start(ctx, b.folder, append(slices.Clone(b.environ), asking(provider)...), b.naive)
	if err != nil {
		return err
	}
	b.closing = append(b.closing, naive.stop)
	direct := &gateway{name: "direct", server: &server{address: provider}}
	var gateways []*gateway
	for _, engine := range opts.engines {
		gateways = append(gateways, &gateway{name: engine, server: products[engine]})
	}
	gateways = append(gateways, &gateway{name: "naive", server: naive})
	all := append([]*gateway{direct}, gateways...)
	turn := slices.Clone(all)
	for round := range opts.rounds + 1 {
		length := opts.length
		if round == 0 {
			length /= 4 // it only warms up
		}
		for _, g := range turn {
			if err := g.measure(ctx, opts, b.people(), length, round > 0); err != nil {
				return fmt.Errorf("%s: %w", g.name, err)
			}
		}
		progress("round %d of %d", round, opts.rounds)
		slices.Reverse(turn)
	}
	for _, g := range gateways {
		g.memory = g.server.memory()
	}
	printHead(os.Stdout, opts)
	printAI(os.Stdout, direct, gateways)
	return nil
}

// measure measures a gateway for one round, and keeps what it sees if that counts.
func (g *gateway) measure(ctx context.Context, opts options, people []person, length time.Duration, counts bool) error {
	for i, e := range aiEndpoints {
		requests := e.requests(people)
		if g.cmd != nil { // the provider's CPU is that of the bench
			seen, err := load(ctx, g.address, requests, e.status, opts.connections, length, g.server.cpu)
			if err != nil {
				return err
			}
			if counts {
				g.cpu[i] = append(g.cpu[i], seen.cpu)
			}
		}
		seen, err := pace(ctx, g.address, requests, paces[i], length)
		if err != nil {
			return err
		}
		if counts {
			g.waits[i] = append(g.waits[i], seen)
		}
	}
	if g.cmd != nil {
		g.emptyLog()
	}
	return nil
}

// pace sends that many requests a second, whether or not answers come, and returns how long half of them waited at most: until
// the whole of an answer, or until the first of a stream.
func pace(ctx context.Context, address string, requests [][]byte, perSecond int, length time.Duration) (time.Duration, error) {
	var mu sync.Mutex
	var idle []*connection
	var waits []time.Duration
	var failed error
	defer func() {
		for _, c := range idle {
			c.close()
		}
	}()
	one := func(request []byte) error {
		began := time.Now()
		mu.Lock()
		var c *connection
		if last := len(idle) - 1; last >= 0 {
			c, idle = idle[last], idle[:last]
		}
		mu.Unlock()
		if c == nil {
			var err error
			if c, err = dial(ctx, address); err != nil {
				return err
			}
		}
		err := errors.Join(c.conn.SetDeadline(began.Add(patience)), c.expect(request, http.StatusOK))
		wait := time.Since(began)
		if !c.first.IsZero() {
			wait = c.first.Sub(began)
		}
		if err == nil && !bytes.Contains(c.body, []byte("word ")) {
			err = fmt.Errorf("the answer is %.200q", c.body)
		}
		mu.Lock()
		defer mu.Unlock()
		idle, waits = append(idle, c), append(waits, wait)
		return err
	}
	var going sync.WaitGroup
	next := time.NewTicker(time.Second / time.Duration(perSecond))
	defer next.Stop()
	for i := range max(1, int(length.Seconds()*float64(perSecond))) {
		if ctx.Err() != nil {
			break
		}
		going.Go(func() {
			if err := one(requests[i%len(requests)]); err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed = errors.Join(failed, err)
			}
		})
		<-next.C
	}
	going.Wait()
	if err := errors.Join(failed, ctx.Err()); err != nil {
		return 0, err
	}
	slices.Sort(waits)
	return waits[len(waits)/2], nil
}

// added returns how much longer than the call itself half of the calls took in each round, in milliseconds.
func (g *gateway) added(endpoint int, direct *gateway) []float64 {
	added := make([]float64, len(g.waits[endpoint]))
	for round := range added {
		added[round] = millis(g.waits[endpoint][round] - direct.waits[endpoint][round])
	}
	return added
}

// printAI prints the table. The naive gateway is the last of them.
func printAI(out io.Writer, direct *gateway, gateways []*gateway) {
	line := func(what, format string, aim float64, figure func(*gateway) []float64) {
		fmt.Fprintf(out, "%-46s", what)
		var naive float64
		for _, g := range gateways {
			naive = median(figure(g))
			fmt.Fprintf(out, " %10s", fmt.Sprintf(format, naive))
		}
		fmt.Fprintf(out, " %7v", aim)
		for _, g := range gateways[:len(gateways)-1] {
			fmt.Fprintf(out, " %9.2f", median(figure(g))/naive)
		}
		fmt.Fprintln(out)
	}
	fmt.Fprintf(out, "\n%-46s", "What a call costs above the call itself")
	for _, g := range gateways {
		fmt.Fprintf(out, " %10s", g.name)
	}
	fmt.Fprintf(out, " %7s", "aim")
	for _, g := range gateways[:len(gateways)-1] {
		fmt.Fprintf(out, " %9s", g.name[:min(4, len(g.name))]+"/naive")
	}
	fmt.Fprintln(out)
	line("CPU µs, an answer of 900 bytes", "%.0f", aimJSON, func(g *gateway) []float64 { return g.cpu[0] })
	line(fmt.Sprintf("CPU µs, a stream of %d pieces", chunks), "%.0f", aimStream, func(g *gateway) []float64 { return g.cpu[1] })
	line(fmt.Sprintf("p50 ms, %d answers a second", paces[0]), "%.2f", aimAdded, func(g *gateway) []float64 { return g.added(0, direct) })
	line(fmt.Sprintf("p50 ms to the first piece, %d streams a second", paces[1]), "%.2f", aimFirst, func(g *gateway) []float64 { return g.added(1, direct) })
	line("MiB of memory at most", "%.0f", aimMemory, func(g *gateway) []float64 { return []float64{g.memory.most} })
	fmt.Fprintf(out, "The call itself: %.2f ms, and %.2f ms to the first piece.\n",
		millis(medianWait(direct.waits[0])), millis(medianWait(direct.waits[1])))
}

func medianWait(waits []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(waits))
	return sorted[len(sorted)/2]
}

// profileAI writes profiles of the product under each call's load, over each database.
func (b *bench) profileAI(ctx context.Context, opts options) error {
	if err := os.MkdirAll(opts.profile, 0o755); err != nil {
		return err
	}
	provider, err := b.startProvider()
	if err != nil {
		return err
	}
	products, err := b.onEngines(ctx, opts, func(database string) (*server, error) {
		return b.startProfiled(ctx, append(b.with(database), asking(provider)...))
	})
	if err != nil {
		return err
	}
	for _, engine := range opts.engines {
		if err := profileEndpoints(ctx, opts, aiEndpoints, b.people(), products[engine], "ai-"+engine+"-"); err != nil {
			return err
		}
	}
	return nil
}
