package bus

import (
	"github.com/ThreeDotsLabs/watermill"
	"go.uber.org/zap"
)

// watermillLog passes on what Watermill says. Its news are for debugging; its errors are of the transport, since those of
// handlers end in poison.
type watermillLog struct{ log *zap.Logger }

func toFields(from watermill.LogFields) []zap.Field {
	fields := make([]zap.Field, 0, len(from)+1)
	for name, value := range from {
		fields = append(fields, zap.Any(name, value))
	}
	return fields
}

// Error logs a warning: whatever failed is tried again.
func (w watermillLog) Error(text string, err error, fields watermill.LogFields) {
	w.log.Warn(text, append(toFields(fields), zap.Error(err))...)
}

// Info logs for debugging.
func (w watermillLog) Info(text string, fields watermill.LogFields) { w.Debug(text, fields) }

// Debug logs for debugging.
func (w watermillLog) Debug(text string, fields watermill.LogFields) {
	if entry := w.log.Check(zap.DebugLevel, text); entry != nil {
		entry.Write(toFields(fields)...)
	}
}

// Trace logs nothing: it would be several lines a message.
func (w watermillLog) Trace(string, watermill.LogFields) {}

// With returns a logger that adds the fields to each line.
func (w watermillLog) With(fields watermill.LogFields) watermill.LoggerAdapter {
	return watermillLog{w.log.With(toFields(fields)...)}
}
