package app

import (
	"context"

	"github.com/omnistack/omnistack/modules/ai/internal/domain"
)

// begun is a sink that knows whether anything of the answer came yet. What came can't be taken back, so that a call that
// fails later is tried by nobody else. An event without content doesn't count: some providers send one, and fail then.
type begun struct {
	Stream
	by  domain.Model
	yes bool
}

// begin says whose answer it is, before the first of it.
func (b *begun) begin() error {
	if b.yes {
		return nil
	}
	b.yes = true
	return b.Start(b.by)
}

// Text takes a piece of text.
func (b *begun) Text(piece string) error {
	if err := b.begin(); err != nil {
		return err
	}
	return b.Stream.Text(piece)
}

// Reasoning takes a piece of what a model thinks.
func (b *begun) Reasoning(piece string) error {
	if err := b.begin(); err != nil {
		return err
	}
	return b.Stream.Reasoning(piece)
}

// Tool takes a piece of a tool call.
func (b *begun) Tool(piece domain.ToolDelta) error {
	if err := b.begin(); err != nil {
		return err
	}
	return b.Stream.Tool(piece)
}

// generate is Provider.Generate, and tells whether anything had come when it failed.
func generate(ctx context.Context, provider Provider, call *domain.Call, stream Stream) (result domain.Result, come bool, err error) {
	if stream == nil {
		result, err = provider.Generate(ctx, call, nil)
		return result, false, err
	}
	b := &begun{Stream: stream, by: call.Model}
	result, err = provider.Generate(ctx, call, b)
	return result, b.yes, err
}
