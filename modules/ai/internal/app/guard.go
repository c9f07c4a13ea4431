package app

import (
	"context"

	"github.com/omnistack/omnistack/modules/ai/internal/domain"
)

// guarded is a provider that neither hears nor says what is masked.
type guarded struct {
	Provider
	redaction domain.Redaction
}

// Guard returns a provider to which personal data in prompts isn't sent, and whose answers are masked, too.
func Guard(provider Provider, redaction domain.Redaction) Provider {
	if redaction.None() {
		return provider
	}
	return guarded{provider, redaction}
}

// Generate has the call's model answer; see Provider.
func (g guarded) Generate(ctx context.Context, call *domain.Call, sink Sink) (domain.Result, error) {
	var speech *masking
	if sink != nil {
		speech = &masking{Sink: sink, redaction: g.redaction}
		sink = speech
	}
	result, err := g.Provider.Generate(ctx, g.redaction.Redacted(call), sink)
	if speech != nil && err == nil {
		err = speech.flush()
	}
	result.Text, result.Reasoning = g.redaction.Text(result.Text), g.redaction.Text(result.Reasoning)
	for i := range result.Calls {
		result.Calls[i].Arguments = g.redaction.Text(result.Calls[i].Arguments)
	}
	return result, err
}

// masking masks a stream. What may be the beginning of something waits for what comes next. Arguments of tools are JSON that a
// program reads piece by piece, and pass as they are.
type masking struct {
	Sink
	redaction domain.Redaction

	text, thought string // what waits
}

// Text takes a piece of text.
func (m *masking) Text(piece string) error {
	return m.take(&m.text, piece, m.Sink.Text)
}

// Reasoning takes a piece of what a model thinks.
func (m *masking) Reasoning(piece string) error {
	return m.take(&m.thought, piece, m.Sink.Reasoning)
}

func (m *masking) take(waits *string, piece string, say func(string) error) error {
	var now string
	if now, *waits = m.redaction.Split(*waits + piece); now == "" {
		return nil
	}
	return say(m.redaction.Text(now))
}

// Tool takes a piece of a tool call. What was said before it comes first.
func (m *masking) Tool(piece domain.ToolDelta) error {
	if err := m.flush(); err != nil {
		return err
	}
	return m.Sink.Tool(piece)
}

// flush says what waits.
func (m *masking) flush() error {
	thought, text := m.thought, m.text
	m.thought, m.text = "", ""
	if thought != "" {
		if err := m.Sink.Reasoning(m.redaction.Text(thought)); err != nil {
			return err
		}
	}
	if text != "" {
		return m.Sink.Text(m.redaction.Text(text))
	}
	return nil
}
