package app_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/omnistack/omnistack/modules/ai/internal/app"
	"github.com/omnistack/omnistack/modules/ai/internal/domain"
)

const (
	personal = "Write to ann.lee+x@example.co.uk or call +44 20 7946 0958; the card is 4111 1111 1111 1111, the order 4111111111111112."
	masked   = "Write to [email] or call [phone]; the card is [card], the order 4111111111111112."
)

var everything = domain.NewRedaction(domain.RedactionKinds()...)

func TestWhatIsMasked(t *testing.T) {
	for name, test := range map[string]struct {
		kinds     []string
		text, out string
	}{
		"everything":        {domain.RedactionKinds(), personal, masked},
		"nothing":           {nil, personal, personal},
		"one kind":          {[]string{"email"}, "a@b.de 4111 1111 1111 1111", "[email] 4111 1111 1111 1111"},
		"what isn't a kind": {[]string{"names"}, personal, personal},
		"numbers":           {domain.RedactionKinds(), "In 2026 there were 12345678 of 1,000,000 at 10:30, 555-0100", "In 2026 there were 12345678 of 1,000,000 at 10:30, 555-0100"},
		"twice":             {domain.RedactionKinds(), "a@b.de,b@c.de", "[email],[email]"},
	} {
		if got := domain.NewRedaction(test.kinds...).Text(test.text); got != test.out {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

// TestAProviderHearsAndSaysNothingPersonal proves that it is masked on the way there and back, however a stream is cut, and that
// the caller's own call stays as it was.
func TestAProviderHearsAndSaysNothingPersonal(t *testing.T) {
	for size := 1; size <= len(personal); size++ {
		provider := app.Guard(speaks(func(_ context.Context, call *domain.Call, sink app.Sink) (domain.Result, error) {
			if text := call.Messages[0].Parts[0].Text; text != masked || call.Embed.Inputs[0] != masked || call.Messages[0].Calls[0].Arguments != masked {
				t.Fatalf("it hears %+v", call)
			}
			if sink == nil {
				return domain.Result{Text: personal, Reasoning: personal, Calls: []domain.ToolCall{{Arguments: personal}}}, nil
			}
			for rest := personal; rest != ""; {
				piece := rest[:min(size, len(rest))]
				rest = rest[len(piece):]
				if err := errors.Join(sink.Reasoning(piece), sink.Text(piece)); err != nil {
					return domain.Result{}, err
				}
			}
			return domain.Result{}, nil
		}), everything)
		call := &domain.Call{
			Messages: []domain.Message{{Parts: []domain.Part{{Text: personal}}, Calls: []domain.ToolCall{{Arguments: personal}}}},
			Embed:    domain.Embed{Inputs: []string{personal}},
		}
		heard := &apart{}
		if _, err := provider.Generate(t.Context(), call, heard); err != nil || heard.text != masked || heard.thought != masked {
			t.Fatalf("in pieces of %d: %q, %q, %v", size, heard.text, heard.thought, err)
		}
		whole, err := provider.Generate(t.Context(), call, nil)
		if err != nil || whole.Text != masked || whole.Reasoning != masked || whole.Calls[0].Arguments != masked {
			t.Fatalf("whole: %+v, %v", whole, err)
		}
		if call.Messages[0].Parts[0].Text != personal || call.Messages[0].Calls[0].Arguments != personal || call.Embed.Inputs[0] != personal {
			t.Fatal("the caller's call is another")
		}
	}
}

// apart keeps texts and thoughts apart.
type apart struct{ text, thought, order string }

func (a *apart) Text(piece string) error {
	a.text += piece
	a.order += piece
	return nil
}
func (a *apart) Reasoning(piece string) error { a.thought += piece; return nil }
func (a *apart) Tool(piece domain.ToolDelta) error {
	a.order += "[" + piece.Arguments + "]"
	return nil
}

func TestWhatWaitsIsNotLost(t *testing.T) {
	speech := app.Guard(speaks(func(_ context.Context, _ *domain.Call, sink app.Sink) (domain.Result, error) {
		return domain.Result{}, errors.Join(sink.Text("one"), sink.Tool(domain.ToolDelta{Arguments: "a@b.de"}), sink.Text("two"), sink.Text(strings.Repeat("x", 300)))
	}), everything)
	heard := &apart{}
	if _, err := speech.Generate(t.Context(), &domain.Call{}, heard); err != nil || heard.order != "one[a@b.de]two"+strings.Repeat("x", 300) {
		t.Errorf("heard is %q, %v", heard.order, err)
	}
	full := errors.New("full")
	if _, err := speech.Generate(t.Context(), &domain.Call{}, &sink{err: full}); !errors.Is(err, full) {
		t.Errorf("the listener's error: %v", err)
	}
	plain := speaks(nil)
	if _, same := app.Guard(plain, domain.Redaction{}).(speaks); !same {
		t.Error("a guard that masks nothing stands in the way")
	}
}
