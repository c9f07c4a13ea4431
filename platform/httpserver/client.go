package httpserver

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// clientAddress returns the address of whoever sent the request: the peer of the connection, unless that is one of
// TRUSTED_PROXIES. Each proxy appends to X-Forwarded-For whom it heard from, so that header is read from its end, over all
// of its lines, for as long as the proxies' own word stands: until an address that is no trusted proxy, or something that
// is no address. What the client itself wrote stands before that and is never read. The zero Addr is for a peer without
// an address.
func (s *Server) clientAddress(r *http.Request) netip.Addr {
	client, lines := peerAddress(r), r.Header["X-Forwarded-For"]
	if len(lines) > 0 && !s.trusts(client) {
		s.warnOfProxy()
		return client
	}
	for _, line := range slices.Backward(lines) {
		for rest := true; rest; {
			var entry string
			line, entry, rest = cutLast(line)
			if entry == "" {
				continue // lists may have empty elements (RFC 9110, section 5.6.1)
			}
			address, ok := parseForwarded(entry)
			if !ok {
				return client
			}
			if client = address; !s.trusts(address) {
				return client
			}
		}
	}
	return client
}

// cutLast cuts the last element off a list, and tells whether there is a rest.
func cutLast(list string) (rest, last string, more bool) {
	comma := strings.LastIndexByte(list, ',')
	return list[:max(comma, 0)], strings.Trim(list[comma+1:], " \t"), comma >= 0
}

// parseForwarded reads an address as proxies write it: alone, with a port, in brackets or both.
func parseForwarded(text string) (netip.Addr, bool) {
	if inner, open := strings.CutPrefix(text, "["); open && strings.HasSuffix(inner, "]") {
		text = strings.TrimSuffix(inner, "]")
	}
	address, err := netip.ParseAddr(text)
	if err != nil {
		var withPort netip.AddrPort
		withPort, err = netip.ParseAddrPort(text)
		address = withPort.Addr()
	}
	return plainAddress(address), err == nil
}

// peerAddress returns the address at the other end of the connection.
func peerAddress(r *http.Request) netip.Addr { return remoteAddress(r.RemoteAddr) }

// remoteAddress returns the address of a remote end as net writes it, the zero Addr of one that has none.
func remoteAddress(remote string) netip.Addr {
	peer, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Addr{}
	}
	return plainAddress(peer.Addr())
}

// clientNetwork returns who an address is to us: of IPv6 the network of 64 bits, within which a client chooses freely.
func clientNetwork(address netip.Addr) netip.Addr {
	if address.Is6() {
		network, _ := address.Prefix(64) // fails for IPv4 only
		address = network.Addr()
	}
	return address
}

// plainAddress returns the one form of an address: IPv4 as such, and no zone, which is a name that this machine has for a
// network.
func plainAddress(address netip.Addr) netip.Addr { return address.Unmap().WithZone("") }

func (s *Server) trusts(address netip.Addr) bool {
	return slices.ContainsFunc(s.options.HTTP.TrustedProxies, func(proxies netip.Prefix) bool { return proxies.Contains(address) })
}

// encrypted tells whether the client speaks TLS, with us or with a proxy whose word we take.
func (s *Server) encrypted(r *http.Request) bool {
	if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") != "https" {
		return r.TLS != nil
	}
	return s.trusts(peerAddress(r))
}

// warnOfProxy says once that a proxy may be missing among the trusted ones.
func (s *Server) warnOfProxy() {
	if s.options.Deployed && !s.warnedOfProxy.Swap(true) {
		s.log.Warn("X-Forwarded-For comes from a peer that isn't one of TRUSTED_PROXIES, and isn't believed. " +
			"If there is a proxy, name it: until then all its clients have one address, and one limit, together")
	}
}
