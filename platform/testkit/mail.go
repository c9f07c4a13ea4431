package testkit

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"
)

// mailpit is the mail server of tests. It is built by go install, outside of any module, so that nothing of it gets into ours.
const mailpit = "github.com/axllent/mailpit@v1.27.11"

// MailServer is a mail server of a test's own: it takes every mail and delivers none.
type MailServer struct {
	Host     string
	Port     int            // where it speaks SMTP
	Username string         // the login that it asks for; empty for none
	Password string         // goes with Username
	Roots    *x509.CertPool // who signed its certificate

	url    string // of its HTTP API
	folder string // of its data
}

// Address returns where it speaks SMTP, as host:port.
func (s *MailServer) Address() string { return net.JoinHostPort(s.Host, strconv.Itoa(s.Port)) }

// Received is a mail that arrived.
type Received struct {
	From, ReplyTo, To []Mailbox
	Subject           string
	MessageID         string
	Text              string
	HTML              string

	Header map[string][]string // as it came, encoded words and folds undone
	Raw    []byte              // all of it, as it came
}

// Mailbox is an address in a mail, its name decoded.
type Mailbox struct{ Name, Address string }

// NewMailServer starts a mail server, which ends with the test. The protection is one that the setting SMTP_TLS names: with
// starttls and tls the server insists on it and asks for a login, with none it does neither.
func NewMailServer(t testing.TB, protection string) *MailServer {
	t.Helper()
	NeedServers(t)
	program, err := findMailpit()
	if err != nil {
		t.Fatal(err)
	}
	// Between the choice of a free port and its use another process may take it.
	for range 5 {
		var server *MailServer
		if server, err = startMailServer(t, program, protection); err == nil {
			return server
		}
	}
	t.Fatal(err)
	return nil
}

func startMailServer(t testing.TB, program, protection string) (*MailServer, error) {
	smtp, err := newSite()
	if err != nil {
		return nil, err
	}
	clean := "rm -rf " + smtp.folder
	web, err := freePort()
	if err != nil {
		return nil, err
	}
	s := &MailServer{Host: "127.0.0.1", Port: smtp.port, folder: smtp.folder, url: fmt.Sprintf("http://127.0.0.1:%d", web)}
	command := []string{
		program, "--smtp", fmt.Sprintf("127.0.0.1:%d", s.Port), "--listen", fmt.Sprintf("127.0.0.1:%d", web),
		"--database", filepath.Join(smtp.folder, "mail.db"), "--disable-version-check", "--smtp-disable-rdns", "--quiet",
	}
	if protection != "none" {
		flags, err := s.secure(smtp, protection)
		if err != nil {
			return nil, err
		}
		command = append(command, flags...)
	}
	running, err := launch(command, smtp.folder, "KILL", clean, smtp.as)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		err := s.get(ctx, "/readyz", nil)
		select {
		case <-running.gone:
			running.end(false)
			return nil, fmt.Errorf("the mail server ended at its start:\n%s", &running.output)
		default:
		}
		if err == nil && listens(s.Address()) {
			t.Cleanup(func() { running.end(false) })
			return s, nil
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			running.end(false)
			return nil, fmt.Errorf("the mail server doesn't answer: %w\n%s", err, &running.output)
		}
	}
}

// secure gives the server a certificate and a login, and returns the flags that make it insist on both.
func (s *MailServer) secure(at site, protection string) ([]string, error) {
	s.Username, s.Password = "tester", at.password
	certificate, key, err := selfSigned()
	if err != nil {
		return nil, err
	}
	s.Roots = x509.NewCertPool()
	s.Roots.AppendCertsFromPEM(certificate)
	for name, text := range map[string]string{
		"cert.pem": string(certificate), "key.pem": string(key), "logins": s.Username + ":" + s.Password + "\n",
	} {
		if err := writeFor(at.as, filepath.Join(at.folder, name), text); err != nil {
			return nil, err
		}
	}
	insist := map[string]string{"starttls": "--smtp-require-starttls", "tls": "--smtp-require-tls"}[protection]
	if insist == "" {
		return nil, fmt.Errorf("testkit: a mail server has no protection called %q", protection)
	}
	return []string{
		"--smtp-tls-cert", filepath.Join(at.folder, "cert.pem"), "--smtp-tls-key", filepath.Join(at.folder, "key.pem"),
		"--smtp-auth-file", filepath.Join(at.folder, "logins"), insist,
	}, nil
}

// Mails returns what has arrived, the oldest first.
func (s *MailServer) Mails(t testing.TB) []Received {
	t.Helper()
	var list struct {
		Messages []struct{ ID string }
	}
	s.mustGet(t, "/api/v1/messages?limit=500", &list)
	mails := make([]Received, len(list.Messages))
	for i, message := range list.Messages {
		one := &mails[len(mails)-1-i] // the API begins with the newest
		s.mustGet(t, "/api/v1/message/"+message.ID, &struct {
			*Received
			From *single
		}{one, (*single)(&one.From)})
		s.mustGet(t, "/api/v1/message/"+message.ID+"/headers", &one.Header)
		s.mustGet(t, "/api/v1/message/"+message.ID+"/raw", &one.Raw)
	}
	return mails
}

// single is a list that is written as its only element.
type single []Mailbox

// UnmarshalJSON reads the element.
func (s *single) UnmarshalJSON(text []byte) error {
	var one Mailbox
	if err := json.Unmarshal(text, &one); err != nil {
		return err
	}
	*s = single{one}
	return nil
}

func (s *MailServer) mustGet(t testing.TB, path string, into any) {
	t.Helper()
	if err := s.get(t.Context(), path, into); err != nil {
		t.Fatal(err)
	}
}

// get reads the answer into bytes as it is, into anything else as JSON.
func (s *MailServer) get(ctx context.Context, path string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+path, nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the mail server answers %d to %s: %s", answer.StatusCode, path, bytes.TrimSpace(body))
	}
	switch into := into.(type) {
	case nil:
		return nil
	case *[]byte:
		*into = body
		return nil
	default:
		return json.Unmarshal(body, into)
	}
}

var findMailpit = sync.OnceValues(func() (string, error) { return built(mailpit) })

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return listener.Addr().(*net.TCPAddr).Port, listener.Close()
}

func listens(address string) bool {
	conn, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return false
	}
	return conn.Close() == nil
}

// selfSigned returns a certificate for this machine and its key, both as PEM.
func selfSigned() (certificate, key []byte, err error) {
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &secret.PublicKey, secret)
	if err != nil {
		return nil, nil, err
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(secret)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}), nil
}
