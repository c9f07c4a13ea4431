package config

import (
	"cmp"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

var errUnsupported = errors.New("a setting can't have this type")

// set reads text into the field and checks the rules of its tags. The error completes the sentence "NAME …".
func (f *field) set(text string) error {
	scratch := reflect.New(f.dest.Type()).Elem()
	if err := parseInto(scratch, text); err != nil {
		return err
	}
	if err := f.checkRules(scratch); err != nil {
		return err
	}
	f.dest.Set(scratch)
	return nil
}

func parseInto(dest reflect.Value, text string) error {
	switch dest.Type() {
	case durationType:
		d, err := parseDuration(text)
		dest.SetInt(int64(d))
		return err
	case stringsType:
		list, err := parseList(text)
		dest.Set(reflect.ValueOf(list))
		return err
	case prefixesType:
		prefixes, err := parsePrefixes(text)
		dest.Set(reflect.ValueOf(prefixes))
		return err
	}
	if dest.CanAddr() && dest.Addr().Type().Implements(textType) {
		return dest.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(text))
	}
	switch dest.Kind() {
	case reflect.String:
		dest.SetString(text)
		return nil
	case reflect.Bool:
		b, err := parseBool(text)
		dest.SetBool(b)
		return err
	case reflect.Int, reflect.Int64:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || dest.OverflowInt(n) {
			return errors.New("must be a whole number")
		}
		dest.SetInt(n)
		return nil
	case reflect.Float64:
		x, err := strconv.ParseFloat(text, 64)
		if err != nil || x != x {
			return errors.New("must be a number")
		}
		dest.SetFloat(x)
		return nil
	}
	return fmt.Errorf("%w: %s", errUnsupported, dest.Type())
}

func parseBool(text string) (bool, error) {
	switch strings.ToLower(text) {
	case "true", "1", "yes", "on":
		return true, nil
	case "false", "0", "no", "off":
		return false, nil
	}
	return false, errors.New("must be true or false (1 or 0, yes or no, on or off)")
}

// parseDuration reads Go's syntax, and a plain number as seconds: the product's settings were seconds before.
func parseDuration(text string) (time.Duration, error) {
	const limit = 1 << 32 // seconds, 136 years: keeps the product far from overflow
	if seconds, err := strconv.ParseUint(text, 10, 64); err == nil && seconds < limit {
		return time.Duration(seconds) * time.Second, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, errors.New("must be a duration such as 30s, 5m or 1h30m, or a number of seconds")
	}
	return d, nil
}

// parseList reads a JSON array of texts or a comma list. "[]" is the empty list: an empty value would mean unset.
func parseList(text string) ([]string, error) {
	var list []string
	if strings.HasPrefix(text, "[") {
		if err := json.Unmarshal([]byte(text), &list); err != nil {
			return nil, errors.New(`must be a JSON array of texts, such as ["a","b"], or a list such as a,b`)
		}
	} else {
		list = strings.Split(text, ",")
	}
	for i := range list {
		list[i] = strings.TrimSpace(list[i])
	}
	return slices.DeleteFunc(list, func(item string) bool { return item == "" }), nil
}

func parsePrefixes(text string) ([]netip.Prefix, error) {
	list, err := parseList(text)
	if err != nil {
		return nil, err
	}
	var prefixes []netip.Prefix
	for _, item := range list {
		if addr, err := netip.ParseAddr(item); err == nil && addr.Zone() == "" {
			addr = addr.Unmap()
			prefixes = append(prefixes, netip.PrefixFrom(addr, addr.BitLen()))
			continue
		}
		prefix, err := netip.ParsePrefix(item)
		if err != nil {
			return nil, errors.New("must be a list of addresses and networks, such as 10.0.0.0/8,192.0.2.7")
		}
		prefixes = append(prefixes, prefix.Masked())
	}
	return prefixes, nil
}

// checkRules applies oneof, min, max and is to a parsed value.
func (f *field) checkRules(value reflect.Value) error {
	if allowed := strings.Fields(f.tag.Get("oneof")); len(allowed) > 0 && !slices.Contains(allowed, value.String()) {
		return fmt.Errorf("must be %s", orList(allowed))
	}
	if err := f.checkBounds(value); err != nil {
		return err
	}
	check := shapes[f.tag.Get("is")]
	switch {
	case check == nil:
		return nil
	case value.Type() == stringsType:
		for i := range value.Len() {
			if err := shapeInto(value.Index(i), check); err != nil {
				return err
			}
		}
		return nil
	}
	return shapeInto(value, check)
}

func shapeInto(value reflect.Value, check shape) error {
	shaped, err := check(value.String())
	if err != nil {
		return err
	}
	value.SetString(shaped)
	return nil
}

func (f *field) checkBounds(value reflect.Value) error {
	low, high := f.tag.Get("min"), f.tag.Get("max")
	below := low != "" && f.against(value, low) < 0
	above := high != "" && f.against(value, high) > 0
	if !below && !above {
		return nil
	}
	unit := ""
	if value.Kind() == reflect.String {
		unit = " bytes long"
	}
	switch {
	case high == "":
		return fmt.Errorf("must be at least %s%s", low, unit)
	case low == "":
		return fmt.Errorf("must be at most %s%s", high, unit)
	}
	return fmt.Errorf("must be from %s to %s%s", low, high, unit)
}

// against compares value with a bound that checkTags has proved readable.
func (f *field) against(value reflect.Value, bound string) int {
	compare, err := f.compare(bound)
	if err != nil {
		return 0
	}
	return compare(value)
}

// compare returns a function that orders a value against the bound.
func (f *field) compare(bound string) (func(reflect.Value) int, error) {
	if f.dest.Kind() == reflect.String {
		length, err := strconv.Atoi(bound)
		return func(v reflect.Value) int { return cmp.Compare(v.Len(), length) }, err
	}
	limit := reflect.New(f.dest.Type()).Elem()
	if err := parseInto(limit, bound); err != nil {
		return nil, err
	}
	switch {
	case limit.CanInt():
		return func(v reflect.Value) int { return cmp.Compare(v.Int(), limit.Int()) }, nil
	case limit.CanFloat():
		return func(v reflect.Value) int { return cmp.Compare(v.Float(), limit.Float()) }, nil
	}
	return nil, fmt.Errorf("%w: bounds of %s", errUnsupported, f.dest.Type())
}

// orList writes "a, b or c".
func orList(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// shape checks the form of a text and returns it the way the program wants it.
type shape func(text string) (string, error)

var shapes = map[string]shape{
	"url":    shapeURL,
	"base":   shapeBase,
	"origin": shapeOrigin,
	"email":  shapeEmail,
	"listen": shapeListen,
	"file":   shapeFile,
}

func parseHTTPURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	// The parser's own error repeats the text, which may hold a password.
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.Fragment != "" {
		return nil, errors.New("must be an absolute URL, such as https://example.com")
	}
	if u.User != nil {
		return nil, errors.New("must be a URL without a user name or password")
	}
	return u, nil
}

// shapeURL keeps the text as it is: issuers are compared byte by byte, trailing slash included.
func shapeURL(text string) (string, error) {
	_, err := parseHTTPURL(text)
	return text, err
}

// shapeBase drops trailing slashes, so that a path can be joined by "+".
func shapeBase(text string) (string, error) {
	u, err := parseHTTPURL(text)
	if err != nil {
		return "", err
	}
	if u.RawQuery != "" || u.ForceQuery {
		return "", errors.New("must be a URL without a query")
	}
	return strings.TrimRight(text, "/"), nil
}

var originHost = regexp.MustCompile(`^[a-z][a-z0-9+.-]*://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?$`)

// shapeOrigin accepts what a browser sends as Origin, and nothing that could never equal it. "*" and "null" are refused
// because replies carry credentials: every site, and every sandboxed frame, could read a signed-in person's data.
func shapeOrigin(text string) (string, error) {
	switch {
	case text == "*" || text == "null":
		return "", fmt.Errorf("must name each origin: %q would let any site read a signed-in person's data", text)
	case strings.HasSuffix(text, "/"):
		return "", errors.New("must hold origins without a slash at the end, such as https://app.example.com")
	case originHost.MatchString(strings.ToLower(text)) && !originHost.MatchString(text):
		return "", errors.New("must hold origins in lower case, as browsers send them")
	case !originHost.MatchString(text):
		return "", errors.New("must hold origins of the form scheme://host or scheme://host:port, such as https://app.example.com")
	case strings.HasPrefix(text, "https://") && strings.HasSuffix(text, ":443"),
		strings.HasPrefix(text, "http://") && strings.HasSuffix(text, ":80"):
		return "", errors.New("must hold origins without the scheme's own port, which browsers leave out")
	}
	return text, nil
}

func shapeEmail(text string) (string, error) {
	parsed, err := mail.ParseAddress(text)
	if err != nil || parsed.Address != text || !strings.Contains(text, ".") {
		return "", errors.New("must be an e-mail address, such as hello@example.com")
	}
	return text, nil
}

// shapeListen accepts an address to listen on, or "off", which becomes "".
func shapeListen(text string) (string, error) {
	if strings.EqualFold(text, "off") {
		return "", nil
	}
	_, port, err := net.SplitHostPort(text)
	if _, portErr := strconv.ParseUint(port, 10, 16); err != nil || portErr != nil {
		return "", errors.New("must be host:port, such as 127.0.0.1:9464, or off")
	}
	return text, nil
}

func shapeFile(text string) (string, error) {
	info, err := os.Stat(text)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return "", errors.New("must be a file that exists")
	case err != nil:
		return "", errors.New("must be a file that can be read")
	case !info.Mode().IsRegular():
		return "", errors.New("must be a file, not a folder or device")
	}
	return text, nil
}
