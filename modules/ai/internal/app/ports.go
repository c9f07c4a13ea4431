// Package app holds the use cases of AI, and what they drive.
package app

import (
	"context"
	"time"

	"github.com/omnistack/omnistack/modules/ai/internal/domain"
)

// Provider calls models of one provider.
type Provider interface {
	// Generate has the call's model answer. With a sink the answer is streamed to it, on the caller's goroutine, and the result
	// has no texts; without one it is in the result. A call that fails is a *domain.Failure, also when it failed in the middle
	// of a stream; an error of the sink comes back as it is. When ctx ends, the provider is left at once.
	Generate(ctx context.Context, call *domain.Call, sink Sink) (domain.Result, error)
}

// Sink takes an answer, piece by piece. An error ends the call.
type Sink interface {
	Text(piece string) error
	Reasoning(piece string) error
	Tool(piece domain.ToolDelta) error
}

// Pauses wait. The error is that ctx ended before.
type Pauses interface {
	For(ctx context.Context, long time.Duration) error
	UpTo(ctx context.Context, longest time.Duration) error // for any part of it, so that not all come back at once
}
