// Package patch tells the three states of a nullable field in a PATCH body apart (RFC 7396): absent, null, a value.
package patch

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Field is a nullable field of a PATCH body. The zero value is an absent field, which stays as it is.
type Field[T any] struct {
	present bool
	value   *T
}

// Present tells whether the client sent the field at all.
func (f Field[T]) Present() bool { return f.present }

// Value returns the new value, nil for null. It means something only when the field is present.
func (f Field[T]) Value() *T { return f.value }

// UnmarshalJSONFrom reads a value or null. It isn't called for an absent field, which is how the three differ.
func (f *Field[T]) UnmarshalJSONFrom(in *jsontext.Decoder) error {
	f.present, f.value = true, nil
	return json.UnmarshalDecode(in, &f.value)
}
