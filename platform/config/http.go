package config

import (
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// HTTP says where the process listens and whom it trusts.
type HTTP struct {
	Host           string         `env:"HOST" default:"0.0.0.0" local:"127.0.0.1" help:"The address to listen on."`
	Port           int            `env:"PORT" default:"8000" min:"0" max:"65535" help:"The port to listen on; 0 takes a free one."`
	APIPrefix      string         `env:"API_V1_STR" default:"/api/v1" help:"The path that every API route starts with."`
	CORSOrigins    []string       `env:"BACKEND_CORS_ORIGINS" default:"[\"http://localhost:3000\"]" is:"origin" help:"The web origins that may call the API from a browser; [] for none."`
	PublicURL      string         `env:"PUBLIC_URL" default:"http://localhost:{PORT}" production:"" is:"base" help:"Where clients reach this process; links in mails and signed URLs start with it."`
	FrontendURL    string         `env:"FRONTEND_URL" default:"http://localhost:3000" is:"base" help:"Where the web app is; people are sent there after checkout and from mails."`
	TrustedProxies []netip.Prefix `env:"TRUSTED_PROXIES" help:"The proxies whose X-Forwarded-For and -Proto are believed, as addresses and networks; none when unset."`
	BodyLimit      Size           `env:"BODY_LIMIT" default:"1MiB" min:"1KiB" max:"1GiB" help:"The largest request body, uploads apart."`
	RequestTimeout time.Duration  `env:"REQUEST_TIMEOUT" default:"30s" min:"1s" max:"1h" help:"How long one request may take, streams apart."`
	MetricsAddr    string         `env:"METRICS_ADDR" default:"127.0.0.1:9464" is:"listen" help:"Where Prometheus metrics are served, or off."`
	DocsEnabled    bool           `env:"DOCS_ENABLED" default:"true" production:"false" help:"Whether /docs and the API document are served."`
}

// LocalURL returns where programs and browsers on this machine reach the process, such as http://localhost:8000.
func (h *HTTP) LocalURL() string {
	host := h.Host
	if address, err := netip.ParseAddr(host); err == nil && (address.IsLoopback() || address.IsUnspecified()) {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, strconv.Itoa(h.Port))
}

// ListensOn tells that the process got that port, where PORT=0 asked for a free one. The URL that is made of the port follows.
func (h *HTTP) ListensOn(port int) {
	if h.PublicURL == "http://localhost:"+strconv.Itoa(h.Port) {
		h.PublicURL = "http://localhost:" + strconv.Itoa(port)
	}
	h.Port = port
}

var pathPrefix = regexp.MustCompile(`^(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+$`)

// Validate checks the path prefix and what browsers and mails rely on.
func (h *HTTP) Validate(check *Check) {
	if !pathPrefix.MatchString(h.APIPrefix) {
		check.Refuse("API_V1_STR", "must be a path such as /api/v1, without a slash at its end")
	}
	for _, prefix := range h.TrustedProxies {
		if prefix.Bits() == 0 {
			check.Warn("TRUSTED_PROXIES", "believes anybody's X-Forwarded-For, so a client can choose its address")
		}
	}
	switch {
	case check.Environment == Production && h.PublicURL == "":
		check.Refuse("PUBLIC_URL", "must be set in production, to the https:// URL where clients reach this process")
	case check.Environment == Production && strings.HasPrefix(h.PublicURL, "http:"):
		check.Refuse("PUBLIC_URL", "must start with https:// in production")
	case check.Environment == Staging && !check.IsSet("PUBLIC_URL"):
		check.Warn("PUBLIC_URL", "is at its default, so links in mails lead nowhere")
	}
	if check.Environment == Production {
		if onThisMachine(h.FrontendURL) {
			check.Warn("FRONTEND_URL", "points at the reader's own machine, in production")
		}
		if !check.IsSet("BACKEND_CORS_ORIGINS") {
			check.Warn("BACKEND_CORS_ORIGINS", "is at its default, so browsers can call the API from a developer's machine only")
		}
	}
}

// onThisMachine reports whether a URL points at the loopback interface.
func onThisMachine(text string) bool {
	u, err := url.Parse(text)
	if err != nil {
		return false
	}
	addr, err := netip.ParseAddr(u.Hostname())
	return u.Hostname() == "localhost" || err == nil && addr.IsLoopback()
}
