//go:build !unix

package httpserver

import "math"

// descriptors returns how many files and sockets the process may have open.
func descriptors() int { return math.MaxInt32 }
