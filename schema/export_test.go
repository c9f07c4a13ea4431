package schema

// The migrations of a test stand in a folder of its own.
var (
	UpFrom      = up
	StatusFrom  = status
	CurrentFrom = current
)
