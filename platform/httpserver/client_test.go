package httpserver

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"go.uber.org/zap"
)

// behind returns a server with these trusted proxies.
func behind(t testing.TB, proxies ...string) *Server {
	t.Helper()
	var options Options
	for _, proxy := range proxies {
		options.HTTP.TrustedProxies = append(options.HTTP.TrustedProxies, netip.MustParsePrefix(proxy))
	}
	return New(options, zap.NewNop())
}

// from makes a request of a peer with these lines of X-Forwarded-For.
func requestFrom(peer string, lines ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.RemoteAddr = peer
	for _, line := range lines {
		r.Header.Add("X-Forwarded-For", line)
	}
	return r
}

func TestClientAddresses(t *testing.T) {
	const (
		stranger = "198.51.100.9:40000"
		proxy    = "10.0.0.1:40000"
	)
	for name, test := range map[string]struct {
		peer  string
		lines []string
		want  string
	}{
		"a stranger":                            {stranger, nil, "198.51.100.9"},
		"a stranger's word is nothing":          {stranger, []string{"203.0.113.1"}, "198.51.100.9"},
		"nor is it when it names a proxy":       {stranger, []string{"203.0.113.1, 10.0.0.1"}, "198.51.100.9"},
		"a stranger by IPv6":                    {"[2001:db8::9]:40000", []string{"203.0.113.1"}, "2001:db8::9"},
		"IPv4 in IPv6":                          {"[::ffff:198.51.100.9]:40000", nil, "198.51.100.9"},
		"a zone":                                {"[fe80::1%eth0]:40000", nil, "fe80::1"},
		"no address at all":                     {"@", nil, "invalid IP"},
		"no address, with a word":               {"@", []string{"203.0.113.1"}, "invalid IP"},
		"a proxy itself":                        {proxy, nil, "10.0.0.1"},
		"through a proxy":                       {proxy, []string{"203.0.113.1"}, "203.0.113.1"},
		"through a proxy by IPv4 in IPv6":       {"[::ffff:10.0.0.1]:40000", []string{"203.0.113.1"}, "203.0.113.1"},
		"through a proxy by IPv6":               {"[fd00::1]:40000", []string{"2001:db8::9"}, "2001:db8::9"},
		"what the client made up":               {proxy, []string{"1.1.1.1, 203.0.113.1"}, "203.0.113.1"},
		"what the client made up, a line":       {proxy, []string{"1.1.1.1", "203.0.113.1"}, "203.0.113.1"},
		"the client poses as a proxy":           {proxy, []string{"1.1.1.1, 10.0.0.3, 203.0.113.1"}, "203.0.113.1"},
		"through two proxies":                   {proxy, []string{"1.1.1.1, 203.0.113.1, 10.0.0.2"}, "203.0.113.1"},
		"through two proxies that add lines":    {proxy, []string{"1.1.1.1", "203.0.113.1", "10.0.0.2"}, "203.0.113.1"},
		"from a proxy, through proxies":         {proxy, []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		"nonsense before a client":              {proxy, []string{"nonsense, 203.0.113.1"}, "203.0.113.1"},
		"nonsense at the end":                   {proxy, []string{"203.0.113.1, nonsense"}, "10.0.0.1"},
		"nonsense behind a proxy":               {proxy, []string{"203.0.113.1, unknown, 10.0.0.2"}, "10.0.0.2"},
		"an obfuscated name":                    {proxy, []string{"_hidden"}, "10.0.0.1"},
		"a host's name":                         {proxy, []string{"example.com"}, "10.0.0.1"},
		"spaces and tabs":                       {proxy, []string{" 203.0.113.1 ,\t10.0.0.2\t"}, "203.0.113.1"},
		"empty elements":                        {proxy, []string{"203.0.113.1, ,", "", ","}, "203.0.113.1"},
		"nothing but empty elements":            {proxy, []string{"", " , ,"}, "10.0.0.1"},
		"a port":                                {proxy, []string{"203.0.113.1:8080"}, "203.0.113.1"},
		"IPv6":                                  {proxy, []string{"2001:DB8:0:0::9"}, "2001:db8::9"},
		"IPv6 in brackets":                      {proxy, []string{"[2001:db8::9]"}, "2001:db8::9"},
		"IPv6 in brackets, with a port":         {proxy, []string{"[2001:db8::9]:8080"}, "2001:db8::9"},
		"IPv6 with a zone":                      {proxy, []string{"fe80::1%eth0"}, "fe80::1"},
		"IPv4 in IPv6, as an entry":             {proxy, []string{"::ffff:203.0.113.1"}, "203.0.113.1"},
		"IPv4 in IPv6, in brackets with a port": {proxy, []string{"[::ffff:203.0.113.1]:1"}, "203.0.113.1"},
		"a proxy by IPv4 in IPv6":               {proxy, []string{"203.0.113.1, ::ffff:10.0.0.2"}, "203.0.113.1"},
		"a proxy with a zone":                   {proxy, []string{"203.0.113.1, fd00::2%eth0"}, "203.0.113.1"},
		"a bracket too many":                    {proxy, []string{"[[2001:db8::9]]"}, "10.0.0.1"},
		"a bracket too few":                     {proxy, []string{"[2001:db8::9"}, "10.0.0.1"},
		"a port that is none":                   {proxy, []string{"203.0.113.1:x"}, "10.0.0.1"},
		"leading zeros":                         {proxy, []string{"203.0.113.001"}, "10.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := behind(t, "10.0.0.0/8", "fd00::/8").clientAddress(requestFrom(test.peer, test.lines...)); got.String() != test.want {
				t.Errorf("%s with %q is %s, want %s", test.peer, test.lines, got, test.want)
			}
			if got := behind(t).clientAddress(requestFrom(test.peer, test.lines...)); got != peerAddress(requestFrom(test.peer)) {
				t.Errorf("with no proxy trusted %s with %q is %s", test.peer, test.lines, got)
			}
		})
	}
}

// Of IPv6 a client has a whole network.
func TestTheKeysOfAddresses(t *testing.T) {
	for address, want := range map[string]string{
		"203.0.113.1":              "address:203.0.113.1",
		"203.0.113.2":              "address:203.0.113.2",
		"2001:db8:1:2::1":          "address:2001:db8:1:2::",
		"2001:db8:1:2:ffff::ffff":  "address:2001:db8:1:2::",
		"2001:db8:1:3::1":          "address:2001:db8:1:3::",
		"2001:db8:1:2:ffff:1:2:3":  "address:2001:db8:1:2::",
		"::1":                      "address:::",
		"fe80::1234:5678:9abc:def": "address:fe80::",
	} {
		if got := addressKey(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s counts as %s, want %s", address, got, want)
		}
	}
	if got := addressKey(netip.Addr{}); got != "address:invalid IP" {
		t.Errorf("no address counts as %s", got)
	}
}

// A proxy that isn't trusted is worth one line, where there are strangers; it names nobody's address.
func TestAProxyThatIsMissingIsTold(t *testing.T) {
	const message = "X-Forwarded-For"
	for name, test := range map[string]struct {
		deployed bool
		peer     string
		lines    []string
		want     int
	}{
		"deployed":            {true, "198.51.100.9:1", []string{"203.0.113.1"}, 1},
		"on a desk":           {false, "198.51.100.9:1", []string{"203.0.113.1"}, 0},
		"a trusted proxy":     {true, "10.0.0.1:1", []string{"203.0.113.1"}, 0},
		"a client without it": {true, "198.51.100.9:1", nil, 0},
	} {
		f := newFixture(t, nil, func(o *Options) {
			o.Deployed = test.deployed
			o.HTTP.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
		})
		for range 3 {
			f.server.clientAddress(requestFrom(test.peer, test.lines...))
		}
		told := 0
		for _, entry := range f.logs.All() {
			if strings.Contains(entry.Message, message) {
				told++
			}
			if strings.Contains(entry.Message, "203.0") || strings.Contains(entry.Message, "198.51") || len(entry.Context) > 0 {
				t.Errorf("%s: an address is in the log: %s %v", name, entry.Message, entry.ContextMap())
			}
		}
		if told != test.want {
			t.Errorf("%s: told %d times, want %d", name, told, test.want)
		}
	}
}

// Whatever stands in the header, a client can't choose its address: what the last proxy appended decides.
func FuzzClientAddress(f *testing.F) {
	for _, seed := range []string{"", ",", "1.1.1.1", "[::1]:1, 10.0.0.1", "a\x00,b", "::ffff:1.2.3.4%eth0", strings.Repeat("10.0.0.1,", 50)} {
		f.Add(seed, seed)
	}
	s := behind(f, "10.0.0.0/8")
	f.Fuzz(func(t *testing.T, one, two string) {
		const client, proxy = "203.0.113.1", "10.0.0.1"
		for _, lines := range [][]string{{one, two, client}, {one + two + "," + client}, {one, two, client + ", 10.0.0.2"}, {one, client, "10.0.0.2,, 10.0.0.3"}} {
			if got := s.clientAddress(requestFrom(proxy+":1", lines...)); got.String() != client {
				t.Errorf("%q is %s", lines, got)
			}
		}
		if got := s.clientAddress(requestFrom(client+":1", one, two)); got.String() != client {
			t.Errorf("a stranger with %q, %q is %s", one, two, got)
		}
		if got := s.clientAddress(requestFrom(proxy+":1", one, two)); !got.IsValid() || got.Is4In6() || got.Zone() != "" {
			t.Errorf("%q, %q is %s", one, two, got)
		}
	})
}
