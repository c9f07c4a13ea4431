package erasure

import "context"

// Prune is the job that removes old receipts.
func (e *Erasure) Prune(ctx context.Context) error { return e.prune(ctx) }
