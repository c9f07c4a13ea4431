package templates

import (
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/omnistack/omnistack/modules/notifications/internal/domain"
	"github.com/omnistack/omnistack/platform/errs"
)

var update = flag.Bool("update", false, "write the golden files anew")

func frame() domain.Frame {
	return domain.Frame{Product: "Acme", Home: "https://app.example.com", Unsubscribe: "https://app.example.com/unsubscribe/abc"}
}

func newTemplates(t *testing.T) *Templates {
	t.Helper()
	templates, err := New()
	if err != nil {
		t.Fatal(err)
	}
	return templates
}

// mail is what Render returns.
type mail struct{ subject, html, text string }

func render(t *testing.T, templates *Templates, content domain.Content, frame domain.Frame) mail {
	t.Helper()
	subject, html, text, err := templates.Render(content, frame)
	if err != nil {
		t.Fatalf("%s: %v", content.Template(), err)
	}
	return mail{subject, html, text}
}

// Every mail is in testdata as it is sent. After changing a template: go test ./... -run TestGoldenMails -update.
func TestGoldenMails(t *testing.T) {
	templates := newTemplates(t)
	var written []string
	for _, content := range examples() {
		got := render(t, templates, content, frame())
		for ending, have := range map[string]string{".html": got.html, ".txt": "Subject: " + got.subject + "\n\n" + got.text} {
			file := filepath.Join("testdata", content.Template()+ending)
			written = append(written, file)
			if *update {
				if err := os.WriteFile(file, []byte(have), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil || have != string(want) {
				t.Errorf("%s: %v, got\n%s", file, err, have)
			}
		}
	}
	files, err := filepath.Glob("testdata/*")
	slices.Sort(written)
	if err != nil || !slices.Equal(files, written) {
		t.Errorf("testdata holds %v, want %v", files, written)
	}
}

// The start tries every template with an example, which is worth something only if it leaves nothing out.
func TestExamplesAreWholeAndOfEveryContent(t *testing.T) {
	var want, got []string
	for _, content := range domain.Contents() {
		want = append(want, content.Template())
	}
	for _, example := range examples() {
		got = append(got, example.Template())
		value := reflect.ValueOf(example)
		for i := range value.NumField() {
			if value.Field(i).IsZero() {
				t.Errorf("%T leaves out %s", example, value.Type().Field(i).Name)
			}
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("there are examples of %v, want %v", got, want)
	}
}

func TestStartFindsWhatIsWrong(t *testing.T) {
	for name, test := range map[string]struct{ file, old, new, part string }{
		"no text":                {file: "mails/welcome.txt", part: "the template welcome: "},
		"no HTML":                {file: "mails/contact.html", part: "the template contact: "},
		"no layout":              {file: "layout.html", part: "layout.html"},
		"a typing error":         {"mails/contact.txt", "{{quote", "{{qoute", "the template contact: "},
		"an unclosed block":      {"mails/contact.html", "{{end}}", "", "the template contact: "},
		"a field nobody has":     {"mails/welcome.html", "with .Frame.Home", "with .Frame.Hme", "Hme"},
		"one behind a condition": {"mails/daily_report.txt", "{{row .Name .Value}}", "{{row .Name .Valu}}", "Valu"},
		"one in the other case":  {"mails/project_deleted.txt", "{{else}}One of", "{{else}}{{.Content.Nme}}One of", "Nme"},
		"one in a subject":       {"mails/role_changed.txt", `"subject"}}`, `"subject"}}{{.Content.Rle}}`, "Rle"},
		"no subject":             {"mails/role_changed.txt", `{{define "subject"}}`, `{{define "sbject"}}`, "subject"},
		"an empty subject":       {"mails/role_changed.txt", "Your role has changed", "", "would say nothing"},
		"no lead":                {"mails/role_changed.txt", `{{define "lead" -}}`, `{{define "led" -}}`, "lead"},
		"no body":                {"mails/role_changed.html", `{{define "body" -}}`, `{{define "bdy" -}}`, "body"},
		"an open attribute":      {"layout.html", "<style>", `{{if .Subject}}<a href="{{end}}<style>`, "layout"},
	} {
		t.Run(name, func(t *testing.T) {
			changed := fstest.MapFS{}
			err := fs.WalkDir(files, ".", func(path string, entry fs.DirEntry, err error) error {
				if err != nil || entry.IsDir() {
					return err
				}
				text, err := fs.ReadFile(files, path)
				changed[path] = &fstest.MapFile{Data: text}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			if test.old == "" {
				delete(changed, test.file)
			} else {
				before := string(changed[test.file].Data)
				after := strings.Replace(before, test.old, test.new, 1)
				if after == before {
					t.Fatalf("%s doesn't hold %s", test.file, test.old)
				}
				changed[test.file].Data = []byte(after)
			}
			if _, err := compileAll(changed); err == nil || !strings.Contains(err.Error(), test.part) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// stranger is a content that the module doesn't have.
type stranger struct{ domain.Welcome }

func TestAnUnknownContentIsRefused(t *testing.T) {
	_, _, _, err := newTemplates(t).Render(stranger{}, frame())
	if !errs.Is(err, errs.Internal) {
		t.Errorf("got %v", err)
	}
}

// hostile are texts that want to be more than text.
var hostile = []string{
	`<script>alert(1)</script>`,
	`"><img src=x onerror=alert(1)>`,
	`' onmouseover='alert(1)`,
	`</title></style></p></td></table><h1>Owned</h1>`,
	`<!-- `,
	`{{.Frame.Home}} {{template "body" .}} {{"` + "`" + `"}}`,
	`javascript:alert(1)`,
	`Visit https://evil.example/win?a=b&c=d or www.evil.example now`,
	"Bob\r\nBcc: victim@example.com\r\n\r\nHello",
	"Bob\n--\nUnsubscribe:\nhttps://evil.example/\n",
	"a\u2028b\u2029c\u0085d\ve\ff",
	"abc\u202etxt.exe\u202c \u2066x\u2069 \u200f\u061c",
	"zero\u200bwidth\ufeff\u2060\u00ad\u3164 \U000E0041",
	"nul\x00bell\x07esc\x1b[31m bad\xff\xfe",
	strings.Repeat("long ", 400),
	strings.Repeat("x", 3000),
	strings.Repeat("𝔸́", 500),
}

// fill sets every text in the value, but for links and what stands on several lines by right.
func fill(value reflect.Value, text string) {
	switch value.Kind() {
	case reflect.String:
		value.SetString(text)
	case reflect.Slice:
		for i := range value.Len() {
			fill(value.Index(i), text)
		}
	case reflect.Struct:
		for i := range value.NumField() {
			if field := value.Type().Field(i); field.IsExported() && field.Name != "Link" && field.Name != "Message" {
				fill(value.Field(i), text)
			}
		}
	default:
	}
}

// filled returns the example with the text wherever somebody could have chosen one.
func filled(example domain.Content, text string) domain.Content {
	value := reflect.New(reflect.TypeOf(example)).Elem()
	value.Set(reflect.ValueOf(example))
	fill(value, text)
	return value.Interface().(domain.Content)
}

var tag = regexp.MustCompile(`<[^>]*>`)

func TestHostileTextsStayText(t *testing.T) {
	templates := newTemplates(t)
	for i := range examples() {
		framed := frame()
		harmless := render(t, templates, filled(examples()[i], "x"), frame())
		for _, text := range hostile {
			if !strings.Contains(text, "evil.example") { // the product is called what its operator wants
				framed.Product = text
			}
			got := render(t, templates, filled(examples()[i], text), framed)
			where := examples()[i].Template() + " with " + text[:min(len(text), 40)]

			if have, want := tag.FindAllString(got.html, -1), tag.FindAllString(harmless.html, -1); !slices.Equal(have, want) {
				t.Errorf("%s: the HTML has other elements:\n%v", where, have)
			}
			if strings.Contains(got.html, "<script") || strings.Contains(got.html, "ZgotmplZ") {
				t.Errorf("%s: %s", where, got.html)
			}
			if length := utf8.RuneCountInString(got.subject); length == 0 || length > subjectLength {
				t.Errorf("%s: the subject has %d characters", where, length)
			}
			if strings.ContainsAny(got.subject, "\r\n") {
				t.Errorf("%s: the subject is %q", where, got.subject)
			}
			for _, whole := range []string{got.subject, got.html, got.text} {
				mustBePrintable(t, where, whole)
			}
			for _, whole := range []string{got.html, got.text} {
				if examples()[i].Template() != "contact" && strings.Contains(whole, "evil.example") {
					t.Errorf("%s: holds an address that mail programs make a link of:\n%s", where, whole)
				}
			}
			if strings.Count(got.text, "\n--\n") != 1 {
				t.Errorf("%s: the text has not one footer:\n%s", where, got.text)
			}
		}
	}
}

func mustBePrintable(t *testing.T, where, text string) {
	t.Helper()
	if !utf8.ValidString(text) {
		t.Errorf("%s: isn't UTF-8", where)
	}
	for _, r := range text {
		if r != '\n' && unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029' {
			t.Errorf("%s: holds %U", where, r)
			return
		}
	}
}

// What is written on several lines stays marked as somebody else's on each of them.
func TestAMessageStaysAQuotation(t *testing.T) {
	templates := newTemplates(t)
	for _, message := range append(hostile, "one\n\n\n\n--\nAcme\r\n> two\rthree  \n\n") {
		content := domain.Contact{Name: "Bob", Email: "bob@example.com", Message: message}
		got := render(t, templates, content, frame())
		mustBePrintable(t, message, got.html)
		mustBePrintable(t, message, got.text)
		_, after, found := strings.Cut(got.text, "UTC\n\n")
		quoted, _, ends := strings.Cut(after, "\n\nNobody has checked")
		if !found || !ends {
			t.Fatalf("the quotation isn't where it should be:\n%s", got.text)
		}
		for line := range strings.Lines(quoted) {
			if !strings.HasPrefix(line, ">") {
				t.Errorf("%q has the line %q", message, line)
			}
		}
		if strings.Contains(got.html, "<script") || strings.Contains(got.html, "<img") {
			t.Errorf("%q: %s", message, got.html)
		}
	}
	got := render(t, templates, domain.Contact{Message: "one\n\n\n\ntwo\r\n  three "}, frame())
	if !strings.Contains(got.text, "> one\n>\n> two\n>   three\n") || !strings.Contains(got.html, "one<br><br>two<br>  three<") {
		t.Errorf("got\n%s\n%s", got.text, got.html)
	}
	words := strings.Repeat("word ", 10_000)
	got = render(t, templates, domain.Contact{Message: words}, frame())
	if strings.Count(got.text, "word") != 10_000 || strings.Count(got.html, "word ") < 9_999 {
		t.Error("a long message isn't whole")
	}
}

func TestOnlyLinksToWebPagesAreSent(t *testing.T) {
	templates := newTemplates(t)
	for _, good := range []string{"https://example.com", "http://localhost:8000/x?a=b&c=d#e", "https://example.com/ü"} {
		got := render(t, templates, domain.PasswordReset{Link: good}, domain.Frame{Home: good, Unsubscribe: good})
		if !strings.Contains(got.html, `href="http`) || strings.Contains(got.html, "ZgotmplZ") {
			t.Errorf("%s: %s", good, got.html)
		}
	}
	for _, bad := range []string{
		"javascript:alert(1)", "JaVaScRiPt://x.com/%0aalert(1)", "data:text/html,x", "ftp://example.com/", "mailto:a@example.com", "//example.com",
		"/path", "example.com", "https://", "https:example.com", "https:///path", "https://user:secret@example.com", "https://exa mple.com",
		"https://example.com/\r\nx", "https://example.com/a\tb", "https://example.com/\u202egnp", "https://exam\x00ple.com", "%zz", " https://example.com",
		"https://example.com/\xff",
	} {
		for name, test := range map[string]struct {
			content domain.Content
			frame   domain.Frame
		}{
			"password":    {domain.PasswordReset{Link: bad}, frame()},
			"export":      {domain.DataExportReady{Link: bad}, frame()},
			"home":        {domain.Welcome{}, domain.Frame{Home: bad}},
			"unsubscribe": {domain.Welcome{}, domain.Frame{Unsubscribe: bad}},
		} {
			subject, html, text, err := templates.Render(test.content, test.frame)
			if !errs.Is(err, errs.Internal) || subject+html+text != "" {
				t.Errorf("%s %q: got %v", name, bad, err)
			} else if strings.Contains(err.Error(), bad) {
				t.Errorf("the error tells the link: %v", err)
			}
		}
	}
	for _, content := range []domain.Content{domain.PasswordReset{}, domain.DataExportReady{}} {
		if _, _, _, err := templates.Render(content, frame()); !errs.Is(err, errs.Internal) {
			t.Errorf("%s without a link: got %v", content.Template(), err)
		}
	}
}

func TestTheFooterShowsWhatThereIs(t *testing.T) {
	templates := newTemplates(t)
	for name, test := range map[string]struct {
		frame  domain.Frame
		has    []string
		hasNot []string
	}{
		"all":                    {frame(), []string{"Acme", "https://app.example.com", "Unsubscribe", "/unsubscribe/abc"}, nil},
		"nothing":                {domain.Frame{}, nil, []string{"Sent by", "http", "Unsubscribe", "href"}},
		"not to be unsubscribed": {domain.Frame{Product: "Acme", Home: "https://app.example.com"}, []string{"Sent by Acme", "https://app.example.com"}, []string{"nsubscribe"}},
	} {
		got := render(t, templates, domain.AccountSuspended{}, test.frame)
		for _, whole := range []string{got.html, got.text} {
			for _, part := range test.has {
				if !strings.Contains(whole, part) {
					t.Errorf("%s: %s is missing:\n%s", name, part, whole)
				}
			}
			for _, part := range test.hasNot {
				if strings.Contains(whole, part) {
					t.Errorf("%s: %s is there:\n%s", name, part, whole)
				}
			}
		}
	}
}

func TestWhatIsUnknownLeavesNoHole(t *testing.T) {
	templates := newTemplates(t)
	none := domain.Frame{}
	for name, test := range map[string]struct {
		content       domain.Content
		frame         domain.Frame
		subject, lead string
	}{
		"a name":                          {domain.Welcome{Name: "Ada"}, frame(), "Welcome to Acme", "Hello Ada, your account is ready."},
		"no name":                         {domain.Welcome{}, none, "Welcome", "Hello! Your account is ready."},
		"a name of spaces":                {domain.Welcome{Name: " \u202e\u200d\u200b\n"}, none, "Welcome", "Hello! Your account is ready."},
		"a name that is empty to look at": {domain.Welcome{Name: "\u3164"}, none, "Welcome", "Hello! Your account is ready."},
		"an emoji of several":             {domain.Welcome{Name: "👩\u200d🚀"}, none, "Welcome", "Hello 👩\u200d🚀, your account is ready."},
		"a name from the right":           {domain.Welcome{Name: "עדה"}, none, "Welcome", "Hello עדה, your account is ready."},
		"no project":                      {domain.ProjectDeleted{}, none, "A project of yours was deleted", "One of your projects was deleted from your account and can't be seen any more."},
		"a project like a site":           {domain.ProjectDeleted{Name: "acme.com"}, none, "Your project acme.com was deleted", "The project acme.\u200bcom was deleted from your account and can't be seen any more."},
		"a project with a number":         {domain.ProjectDeleted{Name: "v1.5 at 15:04"}, none, "Your project v1.5 at 15:04 was deleted", "The project v1.5 at 15:04 was deleted from your account and can't be seen any more."},
		"no subject":                      {domain.Contact{Name: "Bob"}, none, "Contact form: a message", "Bob wrote into the contact form."},
		"nobody":                          {domain.Contact{}, frame(), "Contact form: a message", "Somebody wrote into the contact form of Acme."},
		"no role":                         {domain.RoleChanged{}, none, "Your role has changed", "You now have the role that an administrator gave you."},
		"the highest role":                {domain.RoleChanged{Role: "superadmin"}, none, "Your role has changed", "You now have the role of a super administrator."},
		"the usual role":                  {domain.RoleChanged{Role: "user"}, frame(), "Your role has changed", "At Acme you now have the role of a user."},
		"a role of the future":            {domain.RoleChanged{Role: "auditor"}, none, "Your role has changed", "You now have the role auditor."},
		"an identity of nobody's":         {domain.IdentityLinked{}, none, "You can sign in with another account", "Whoever signs in with that account is you from now on."},
		"no plan":                         {domain.SubscriptionChanged{}, none, "Your subscription has changed", "Your subscription has changed."},
		"an active plan":                  {domain.SubscriptionChanged{Status: "active"}, none, "Your subscription has changed", "Your subscription is active now."},
		"a trial":                         {domain.SubscriptionChanged{Plan: "pro", Status: "trialing"}, none, "Your subscription has changed", "Your trial of the plan pro has begun."},
		"a debt":                          {domain.SubscriptionChanged{Plan: "pro", Status: "past_due"}, none, "Your payment didn't go through", "We couldn't collect the payment for your subscription to the plan pro."},
		"an end":                          {domain.SubscriptionChanged{Plan: "pro", Status: "canceled"}, none, "Your subscription has ended", "Your subscription to the plan pro has ended."},
		"a state of the future":           {domain.SubscriptionChanged{Plan: "pro", Status: "paused"}, none, "Your subscription has changed", "Your subscription to the plan pro has changed; its state is paused now."},
		"an empty report":                 {domain.DailyReport{Day: time.Date(2030, 1, 2, 0, 0, 0, 0, time.UTC)}, none, "report for 2 January 2030", "What happened on 2 January 2030, from midnight to midnight UTC."},
	} {
		got := render(t, templates, test.content, test.frame)
		text := strings.Join(strings.Fields(got.text), " ")
		if got.subject != test.subject || !strings.Contains(text, test.lead) || !strings.Contains(got.html, strings.ReplaceAll(test.lead, "'", "&#39;")) {
			t.Errorf("%s: got %q and\n%s", name, got.subject, got.text)
		}
	}
	for days, part := range map[int]string{0: "It is gone for good.", 1: "within 1 day,", 30: "within 30 days,"} {
		if got := render(t, templates, domain.ProjectDeleted{Days: days}, none); !strings.Contains(got.text, part) || !strings.Contains(got.html, part) {
			t.Errorf("%d days: %s", days, got.text)
		}
	}
}

// A plain text is read as it is: its lines are short, and its links are whole.
func TestPlainTextsAreReadable(t *testing.T) {
	templates := newTemplates(t)
	for _, content := range examples() {
		got := render(t, templates, content, frame())
		for line := range strings.Lines(got.text) {
			line = strings.TrimSuffix(line, "\n")
			if utf8.RuneCountInString(line) > width && len(strings.Fields(line)) > 1 || line != strings.TrimRight(line, " ") {
				t.Errorf("%s: %q", content.Template(), line)
			}
			if strings.ContainsAny(line, "<&") && !strings.HasPrefix(line, "https://") {
				t.Errorf("%s: HTML in the text: %q", content.Template(), line)
			}
		}
		if strings.Contains(got.text, "\n\n\n") {
			t.Errorf("%s: holes in\n%s", content.Template(), got.text)
		}
		links := regexp.MustCompile(`href="([^"]+)"`).FindAllStringSubmatch(got.html, -1)
		for _, link := range links {
			if address := strings.ReplaceAll(link[1], "&amp;", "&"); !strings.Contains(got.text, "\n"+address+"\n") {
				t.Errorf("%s: %s has no line of its own in\n%s", content.Template(), address, got.text)
			}
		}
	}
}

// Mail programs load nothing, run nothing, and many ignore what isn't inline.
func TestHTMLNeedsNothingFromElsewhere(t *testing.T) {
	templates := newTemplates(t)
	for _, content := range examples() {
		html := render(t, templates, content, frame()).html
		if found := regexp.MustCompile(`(?i)\ssrc=|url\(|@import|<link|<script|<img|<iframe|<form|\son[a-z]+=`).FindString(html); found != "" {
			t.Errorf("%s holds %q", content.Template(), found)
		}
		for _, element := range regexp.MustCompile(`<(?:p|h1|h2|td|th|a)\b[^>]*>`).FindAllString(html, -1) {
			if !strings.Contains(element, "style=") {
				t.Errorf("%s: %s has no style of its own", content.Template(), element)
			}
		}
		if size := len(html); size > 20_000 {
			t.Errorf("%s has %d bytes: from 102 kB on, mail programs cut a mail", content.Template(), size)
		}
	}
}

func TestManyAtOnce(t *testing.T) {
	templates := newTemplates(t)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for _, content := range examples() {
				if _, html, text, err := templates.Render(content, frame()); err != nil || html == "" || text == "" {
					t.Errorf("%s: %v", content.Template(), err)
				}
			}
		})
	}
	all.Wait()
}
