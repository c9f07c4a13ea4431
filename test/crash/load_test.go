//scaffold:needs projects

package crash

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/test/apptest"
)

const projects = "/api/v1/app/projects"

// versions is how many versions a writer makes of a project before it begins the next.
const versions = 5

// project is what one writer knows of a project: what it tried, and what it was told.
type project struct {
	owner, name  string // nobody else has either
	id           string // once its creation was acknowledged
	acknowledged int    // the last version of which the writer was told that it is there
	attempted    int    // the last version that it sent; nobody knows of one that wasn't acknowledged
}

// content returns what a version of the project holds.
func (p *project) content(version int) (name, description string) {
	return fmt.Sprintf("%s/%d", p.name, version), fmt.Sprintf("version %d by %s", version, p.owner)
}

// load is writers at work, each a user of its own on a connection of its own that it keeps alive.
type load struct {
	bear         func(answer) error // returns nil for an answer that isn't good and yet as it should be
	pace         <-chan time.Time   // lets a writer send its next request
	acknowledged atomic.Int64       // good answers to writes
	borne        atomic.Int64       // answers that weren't good, and were borne
	slowest      atomic.Int64       // how long an answer took, in nanoseconds

	mu       sync.Mutex
	projects []*project
	troubles []string

	stop    chan struct{}
	running sync.WaitGroup
}

// crowd is how many writers there are.
const crowd = 12

// begin sets the writers to work at url, and returns when each has been told that a write of its is there. They send a
// request at each tick, or as fast as they can if there are none. An answer that isn't good must be one that bear can
// bear; a writer that gets no answer stops.
func (s *site) begin(url string, bear func(answer) error, ticks <-chan time.Time) *load {
	s.t.Helper()
	if ticks == nil {
		always := make(chan time.Time)
		close(always)
		ticks = always
	}
	l := &load{bear: bear, pace: ticks, stop: make(chan struct{})}
	working := make(chan struct{}, crowd)
	for range crowd {
		owner := id.New()
		client := &http.Client{Transport: &http.Transport{}, Timeout: patience}
		w := &writer{load: l, owner: owner, token: s.token(owner), url: url, client: client}
		l.running.Go(func() { w.work(working) })
	}
	for range crowd {
		<-working
	}
	return l
}

// await returns when the number has grown by so much, or when something went wrong.
func (l *load) await(t *testing.T, number *atomic.Int64, more int) {
	t.Helper()
	goal := number.Load() + int64(more)
	apptest.Await(t, fmt.Sprintf("%d answers more", more), func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return number.Load() >= goal || len(l.troubles) > 0
	})
}

// reach returns when so many more writes have been acknowledged.
func (l *load) reach(t *testing.T, more int) {
	t.Helper()
	l.await(t, &l.acknowledged, more)
}

// end lets the writers finish what they are at, and fails the test with what went wrong.
func (l *load) end(t *testing.T) {
	t.Helper()
	close(l.stop)
	l.wait(t)
}

// wait returns when the writers have ended, and fails the test with what went wrong.
func (l *load) wait(t *testing.T) {
	t.Helper()
	l.running.Wait()
	for _, trouble := range l.troubles[:min(10, len(l.troubles))] {
		t.Error(trouble)
	}
}

func (l *load) report(format string, arguments ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.troubles = append(l.troubles, fmt.Sprintf(format, arguments...))
}

// writer makes versions of projects, one write after the other.
type writer struct {
	load   *load
	owner  string
	token  string
	url    string
	client *http.Client
	made   int
	at     *project // what it makes the next version of; nil when it begins a new one
}

// work writes, and reads what it wrote, until the load stops or there is no answer.
func (w *writer) work(working chan<- struct{}) {
	defer w.client.CloseIdleConnections()
	report := sync.OnceFunc(func() { working <- struct{}{} })
	defer report()
	for {
		select {
		case <-w.load.stop:
			return
		case <-w.load.pace:
		}
		answer := w.next()
		if answer.good() {
			report()
			continue
		}
		if err := w.load.bear(answer); err != nil {
			w.load.report("%v: %s", err, answer)
			return
		}
		if !answer.complete() {
			return
		}
		w.load.borne.Add(1)
	}
}

// next sends the next request: a new project, versions of it, and when they are all there a look at it.
func (w *writer) next() answer {
	switch p := w.at; {
	case p == nil:
		w.made++
		p = &project{owner: w.owner, name: fmt.Sprintf("%s-%d", w.owner, w.made)}
		w.load.mu.Lock()
		w.load.projects = append(w.load.projects, p)
		w.load.mu.Unlock()
		return w.write(p, http.MethodPost, projects)
	case p.acknowledged < versions:
		return w.write(p, http.MethodPatch, projects+"/"+p.id)
	default:
		w.at = nil
		return w.send(p, http.MethodGet, projects+"/"+p.id, nil)
	}
}

// write sends the next version of the project. Without a good answer nobody knows whether it is there, and the writer
// leaves the project alone.
func (w *writer) write(p *project, method, path string) answer {
	w.at = nil
	p.attempted++
	name, description := p.content(p.attempted)
	body, err := json.Marshal(map[string]string{"name": name, "description": description})
	if err != nil {
		return answer{err: err}
	}
	answer := w.send(p, method, path, body)
	if !answer.good() {
		return answer
	}
	w.at = p
	p.acknowledged = p.attempted
	w.load.acknowledged.Add(1)
	if method == http.MethodPost {
		p.id = answer.header.Get("Location")[strings.LastIndex(answer.header.Get("Location"), "/")+1:]
	}
	return answer
}

// send sends a request about a project and reads the whole answer. One that is good must show the last version that was
// sent.
func (w *writer) send(p *project, method, path string, body []byte) (a answer) {
	request, err := http.NewRequest(method, w.url+path, strings.NewReader(string(body)))
	if err != nil {
		return answer{err: err}
	}
	request.Header.Set("Authorization", "Bearer "+w.token)
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if method == http.MethodPatch {
		request.Header.Set("If-Match", etag(p.acknowledged))
	}
	began := time.Now()
	defer func() {
		a.took = time.Since(began)
		for most := w.load.slowest.Load(); int64(a.took) > most && !w.load.slowest.CompareAndSwap(most, int64(a.took)); {
			most = w.load.slowest.Load()
		}
	}()
	a = read(w.client.Do(request))
	name, _ := p.content(p.attempted)
	if a.good() && (a.header.Get("ETag") != etag(p.attempted) || !strings.Contains(string(a.body), strconv.Quote(name))) {
		w.load.report("%s of version %d is answered with %s %s", method, p.attempted, a.header.Get("ETag"), a)
	}
	return a
}

func etag(version int) string { return strconv.Quote(strconv.Itoa(version)) }

// row is a project as it is stored.
type row struct {
	id, owner, name, description string
	version                      int
	deleted                      bool
	knownOwner                   bool
}

func scanRow(from database.Row) (row, error) {
	var r row
	return r, from.Scan(&r.id, &r.owner, &r.name, &r.description, &r.version, &r.deleted, &r.knownOwner)
}

// counts is what is left of the writers' work.
type counts struct {
	acknowledged int // writes of which a writer was told that they are there
	doubtful     int // writes of which nobody was told anything
	happened     int // those of them that are there
	projects     int // rows
}

func (c counts) String() string {
	return fmt.Sprintf("%d writes acknowledged, %d projects found, %d writes in doubt of which %d happened",
		c.acknowledged, c.projects, c.doubtful, c.happened)
}

// count compares what is stored with what the writers were told, and fails the test unless every acknowledged write is
// there, every other in full or not at all, and nothing else.
func (s *site) count(loads ...*load) counts {
	s.t.Helper()
	rows, err := database.All(s.db.Read(s.t.Context()).Raw("SELECT id, owner_id, name, coalesce(description, ''), version, "+
		"deleted_at IS NOT NULL, EXISTS (SELECT 1 FROM users WHERE users.id = projects.owner_id) FROM projects"), scanRow)
	if err != nil {
		s.t.Fatal(err)
	}
	stored := map[string]row{}
	for _, row := range rows {
		name, _, _ := strings.Cut(row.name, "/")
		if other, twice := stored[name]; twice {
			s.t.Errorf("there are two of one project: %+v and %+v", row, other)
		}
		stored[name] = row
	}
	counts := counts{projects: len(rows)}
	for _, load := range loads {
		for _, p := range load.projects {
			row := stored[p.name]
			delete(stored, p.name)
			counts.acknowledged += p.acknowledged
			counts.doubtful += p.attempted - p.acknowledged
			counts.happened += row.version - p.acknowledged
			if err := p.compare(row); err != nil {
				s.t.Errorf("%+v is stored as %+v: %v", *p, row, err)
			}
		}
	}
	for _, row := range stored {
		s.t.Errorf("nobody wrote %+v", row)
	}
	return counts
}

// compare says what is wrong with the row of the project, which is empty when there is none.
func (p *project) compare(r row) error {
	name, description := p.content(r.version)
	switch {
	case r.version < p.acknowledged:
		return fmt.Errorf("version %d was acknowledged and is lost", p.acknowledged)
	case r.version > p.attempted:
		return fmt.Errorf("version %d was never sent", r.version)
	case r == row{}:
		return nil
	case r.name != name || r.description != description:
		return fmt.Errorf("its content isn't that of version %d", r.version)
	case r.id != cmp.Or(p.id, r.id) || !id.Valid(r.id) || r.owner != p.owner || !r.knownOwner || r.deleted:
		return fmt.Errorf("it is half of a project")
	}
	return nil
}
