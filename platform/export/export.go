// Package export is how a module hands out what it holds of a person: as files in an archive, JSON that is written row by row, so
// that much takes no more memory than little.
package export

import (
	"bufio"
	"encoding/json"
	"io"
)

// Archive takes files, one after the other, as archive/zip's Writer does: a file may be written until the next one is created.
type Archive interface {
	// Create begins a file. Its name is a path with slashes that stays below the folder of whoever creates it.
	Create(name string) (io.Writer, error)
}

// batch is how many rows are read at once.
const batch = 500

// Each calls do with everything that next returns: at most limit values behind the one given, or from the beginning for nil. Fewer
// than that are the last ones.
func Each[T any](next func(after *T, limit int) ([]T, error), do func(T) error) error {
	for after := (*T)(nil); ; {
		values, err := next(after, batch)
		if err != nil {
			return err
		}
		for _, value := range values {
			if err := do(value); err != nil {
				return err
			}
		}
		if len(values) < batch {
			return nil
		}
		after = &values[len(values)-1]
	}
}

// Array writes a file that is a JSON array of everything that next returns, as Each has it.
func Array[T any](archive Archive, name string, next func(after *T, limit int) ([]T, error)) error {
	file, err := archive.Create(name)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(file) // which fails once and for all
	write, between := encoder(out), ""
	_, _ = out.WriteString("[")
	err = Each(next, func(value T) error {
		_, _ = out.WriteString(between)
		between = ","
		return write.Encode(value)
	})
	if err != nil {
		return err
	}
	_, _ = out.WriteString("]\n")
	return out.Flush()
}

// Value writes a file that is one JSON value.
func Value(archive Archive, name string, value any) error {
	file, err := archive.Create(name)
	if err != nil {
		return err
	}
	return encoder(file).Encode(value)
}

func encoder(out io.Writer) *json.Encoder {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false) // people read it
	return encoder
}
