package telemetry

import (
	"context"
	"log/slog"
)

// Library is a logger for a library's own lines. It passes warnings and errors,
// with those attributes alone that cannot hold what a user wrote or who logs in
// where: the text of an error can.
func Library(log *slog.Logger, part string) *slog.Logger {
	return slog.New(library{log.With("part", part).Handler()})
}

type library struct{ slog.Handler }

var libraryKeys = map[string]bool{"attempt": true, "job_id": true, "job_kind": true, "queue": true, "sleep_duration": true}

func (h library) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && h.Handler.Enabled(ctx, level)
}

func (h library) Handle(ctx context.Context, r slog.Record) error {
	kept := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	r.Attrs(func(a slog.Attr) bool {
		if libraryKeys[a.Key] {
			kept.AddAttrs(a)
		}
		return true
	})
	return h.Handler.Handle(ctx, kept)
}

func (h library) WithAttrs(attrs []slog.Attr) slog.Handler {
	var kept []slog.Attr
	for _, a := range attrs {
		if libraryKeys[a.Key] {
			kept = append(kept, a)
		}
	}
	return library{h.Handler.WithAttrs(kept)}
}

func (h library) WithGroup(string) slog.Handler { return h }
