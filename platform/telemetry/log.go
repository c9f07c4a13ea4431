// Package telemetry is what the process tells about itself. Today that is its log and a few metrics.
package telemetry

import (
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"strings"

	"go.uber.org/zap"
	"go.uber.org/zap/exp/zapslog"
	"go.uber.org/zap/zapcore"
)

// LogOptions say how the log looks.
type LogOptions struct {
	Level   string // DEBUG, INFO, WARNING or ERROR
	Console bool   // lines for people instead of JSON
}

// NewLogger returns a logger that writes to out. Secrets and personal data that reach it by mistake, in a text or in
// an error from a library, are masked before they are written.
func NewLogger(options LogOptions, out io.Writer) *zap.Logger {
	levels := map[string]zapcore.Level{"DEBUG": zap.DebugLevel, "INFO": zap.InfoLevel, "WARNING": zap.WarnLevel, "ERROR": zap.ErrorLevel}

	format := zap.NewProductionEncoderConfig()
	format.TimeKey, format.EncodeTime = "time", zapcore.RFC3339NanoTimeEncoder
	encoder := zapcore.NewJSONEncoder(format)
	if options.Console {
		format.EncodeTime = zapcore.TimeEncoderOfLayout("15:04:05.000")
		format.EncodeDuration = zapcore.StringDurationEncoder // in JSON it is a number of seconds, which can be summed
		format.EncodeLevel = zapcore.CapitalLevelEncoder
		encoder = zapcore.NewConsoleEncoder(format)
	}
	core := zapcore.NewCore(encoder, zapcore.Lock(zapcore.AddSync(out)), levels[options.Level])
	return zap.New(Redact(core))
}

// Redact returns a core that masks what looks like a secret or an address in every message, text and error before it
// passes them on.
func Redact(core zapcore.Core) zapcore.Core { return redacting{core} }

type redacting struct{ zapcore.Core }

// With keeps the wrapper around the core with the fields.
func (r redacting) With(fields []zapcore.Field) zapcore.Core {
	return redacting{r.Core.With(redactFields(fields))}
}

// Check adds this core, so that Write is called on it and not on the one inside.
func (r redacting) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if r.Enabled(entry.Level) {
		return checked.AddCore(entry, r)
	}
	return checked
}

// Write masks the entry and writes it.
func (r redacting) Write(entry zapcore.Entry, fields []zapcore.Field) error {
	entry.Message = mask(entry.Message)
	return r.Core.Write(entry, redactFields(fields))
}

// redactFields returns the fields with their texts masked. It copies only when there is something to mask.
func redactFields(fields []zapcore.Field) []zapcore.Field {
	out := fields
	for i, field := range fields {
		text, isText := textOf(field)
		if !isText {
			continue
		}
		masked := mask(text)
		if masked == text {
			continue
		}
		if &out[0] == &fields[0] {
			out = append([]zapcore.Field(nil), fields...)
		}
		out[i] = zap.String(field.Key, masked)
	}
	return out
}

// textOf returns the text that a field will be written as, for the kinds that carry free text.
func textOf(field zapcore.Field) (string, bool) {
	switch field.Type {
	case zapcore.StringType:
		return field.String, true
	case zapcore.ErrorType:
		if err, ok := field.Interface.(error); ok && err != nil {
			return err.Error(), true
		}
	case zapcore.ByteStringType:
		if text, ok := field.Interface.([]byte); ok {
			return string(text), true
		}
	case zapcore.StringerType, zapcore.ReflectType, zapcore.ArrayMarshalerType, zapcore.ObjectMarshalerType:
		return fmt.Sprintf("%+v", field.Interface), true
	}
	return "", false
}

// masks are the forms that give a secret or a person away: a JWT, a bearer token, the password of a URL, an e-mail address,
// a marked key: Resend's re_, SendGrid's SG., Stripe's and the AI providers' sk- and sk_, the whsec_ of webhooks, and our own
// omni_.
var masks = []struct {
	form *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*\.?[A-Za-z0-9_-]*`), "****"},
	{regexp.MustCompile(`(?i)(bearer\s+)[^\s"']+`), "${1}****"},
	{regexp.MustCompile(`(://[^/\s:@]*:)[^/\s@]+@`), "${1}****@"},
	{regexp.MustCompile(`[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+`), "****@****"},
	{regexp.MustCompile(`\b(re_|SG\.|[rs]k[-_]|whsec_|omni_)[A-Za-z0-9_+/=.-]*[A-Za-z0-9_+/=-]{8,}`), "${1}****"},
}

// telling are the bytes without which no mask can match: most texts hold none and are spared the expressions.
func telling(text string) bool {
	for i := range len(text) {
		if text[i] > 'b' || '0' <= text[i] && text[i] <= '9' {
			continue // most of them: measured, the path of a route takes half as long
		}
		switch text[i] {
		case '@', '.':
			return true
		case '_', '-':
			if i > 1 && marksKey(text[i-2:i]) {
				return true
			}
		case 'B', 'b':
			if len(text)-i > 6 && (text[i+1]|0x20) == 'e' && (text[i+2]|0x20) == 'a' {
				return true
			}
		}
	}
	return false
}

// marksKey tells whether these are the last two letters before the dash or underscore of a marked key: re_, sk_, rk_,
// whsec_, omni_.
func marksKey(last string) bool {
	return last[1] == 'k' && (last[0] == 's' || last[0] == 'r') || last == "re" || last == "ec" || last == "ni"
}

// Mask returns the text without what looks like a secret or an address, as the log would show it.
func Mask(text string) string { return mask(text) }

// Shown returns the text of an error as it may be stored and shown to administrators: masked, at most 2,000 bytes, and what
// PostgreSQL takes as a text.
func Shown(err error) string {
	const most = 2000
	text := Mask(err.Error())
	return strings.ReplaceAll(strings.ToValidUTF8(text[:min(len(text), most)], ""), "\x00", "")
}

// Slog returns the logger for libraries that speak log/slog. What they log is masked like everything else.
func Slog(log *zap.Logger) *slog.Logger {
	return slog.New(zapslog.NewHandler(log.Core(), zapslog.WithName(log.Name()), zapslog.AddStacktraceAt(never)))
}

// never is above every level: a stack of a library's own functions helps nobody.
const never = slog.Level(100)

func mask(text string) string {
	if !telling(text) {
		return text
	}
	for _, m := range masks {
		text = m.form.ReplaceAllString(text, m.with)
	}
	return text
}
