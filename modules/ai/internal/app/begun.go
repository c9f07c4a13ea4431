package app

import (
	"context"

	"github.com/omnistack/omnistack/modules/ai/internal/domain"
)

// begun is a sink that knows whether anything of the answer came yet. What came can't be taken back, so that a call that
// fails later is tried by nobody else. An event without content doesn't count: some providers send one, and fail then.
type begun struct {
	Sink
	yes bool
}

// Text takes a piece of text.
func (b *begun) Text(piece string) error {
	b.yes = true
	return b.Sink.Text(piece)
}

// Reasoning takes a piece of what a model thinks.
func (b *begun) Reasoning(piece string) error {
	b.yes = true
	return b.Sink.Reasoning(piece)
}

// Tool takes a piece of a tool call.
func (b *begun) Tool(piece domain.ToolDelta) error {
	b.yes = true
	return b.Sink.Tool(piece)
}

// generate is Provider.Generate, and tells whether anything had come when it failed.
func generate(ctx context.Context, provider Provider, call *domain.Call, sink Sink) (result domain.Result, come bool, err error) {
	if sink == nil {
		result, err = provider.Generate(ctx, call, nil)
		return result, false, err
	}
	b := &begun{Sink: sink}
	result, err = provider.Generate(ctx, call, b)
	return result, b.yes, err
}
