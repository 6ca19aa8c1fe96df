// Package telemetry sets up tracing and the process log. Neither ever holds the
// text of a story, a name or a token: what is logged of a call is its operation,
// its reason and its duration. The decision log and the processing log are not
// telemetry and do not pass through here.
package telemetry

import (
	"context"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/go-kratos/kratos/v2/middleware"
	"github.com/go-kratos/kratos/v2/transport"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/metadata"

	"github.com/zijlicht/zijlicht/services/platform/fault"
)

var tracer = otel.Tracer("github.com/zijlicht/zijlicht")

// Setup installs the tracer provider and the W3C propagator. Spans are exported
// over OTLP when OTEL_EXPORTER_OTLP_ENDPOINT is set; trace ids exist in any case,
// because the decision log needs them. Stop flushes.
func Setup(ctx context.Context, service, node string) (stop func(context.Context) error, err error) {
	opts := []sdktrace.TracerProviderOption{
		sdktrace.WithSampler(sdktrace.AlwaysSample()),
		sdktrace.WithResource(resource.NewSchemaless(
			attribute.String("service.name", service), attribute.String("service.namespace", node))),
	}
	if os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" {
		exp, err := otlptracehttp.New(ctx)
		if err != nil {
			return nil, err
		}
		opts = append(opts, sdktrace.WithBatcher(exp))
	}
	tp := sdktrace.NewTracerProvider(opts...)
	otel.SetTracerProvider(tp)
	otel.SetTextMapPropagator(propagation.TraceContext{})
	return tp.Shutdown, nil
}

// Logger writes JSON lines.
func Logger(w io.Writer, node string) *slog.Logger {
	return slog.New(slog.NewJSONHandler(w, nil)).With("node", node)
}

// Server gives each call a span under the caller's trace, and one line in the log.
func Server(log *slog.Logger) middleware.Middleware {
	return func(next middleware.Handler) middleware.Handler {
		return func(ctx context.Context, req any) (any, error) {
			op := "unknown"
			if tr, ok := transport.FromServerContext(ctx); ok {
				op = tr.Operation()
			}
			md, _ := metadata.FromIncomingContext(ctx)
			ctx = otel.GetTextMapPropagator().Extract(ctx, carrier(md))
			ctx, span := tracer.Start(ctx, op, trace.WithSpanKind(trace.SpanKindServer))
			defer span.End()
			start := time.Now()
			reply, err := next(ctx, req)
			attrs := []slog.Attr{
				slog.String("operation", op),
				slog.String("trace_id", span.SpanContext().TraceID().String()),
				slog.Float64("took_ms", float64(time.Since(start).Microseconds())/1000),
			}
			if err == nil {
				log.LogAttrs(ctx, slog.LevelDebug, "call", attrs...)
				return reply, nil
			}
			reason := fault.ReasonOf(err)
			attrs = append(attrs, slog.String("reason", fault.CodeOf(err)))
			level := slog.LevelInfo
			if fault.HTTPStatus(reason) >= 500 {
				level = slog.LevelError
				span.SetStatus(codes.Error, reason.String())
				attrs = append(attrs, slog.String("cause", Cause(err)))
			}
			log.LogAttrs(ctx, level, "call failed", attrs...)
			return reply, err
		}
	}
}

// Inject writes the trace context of ctx into outgoing gRPC metadata.
func Inject(ctx context.Context) context.Context {
	md := metadata.MD{}
	otel.GetTextMapPropagator().Inject(ctx, carrier(md))
	for k, v := range md {
		ctx = metadata.AppendToOutgoingContext(ctx, k, v[0])
	}
	return ctx
}

// Start begins a span inside a call.
func Start(ctx context.Context, name string) (context.Context, trace.Span) {
	return tracer.Start(ctx, name)
}

// IDs gives the trace and span id of ctx in lowercase hex; both are all zeros outside a span.
func IDs(ctx context.Context) (traceID, spanID string) {
	sc := trace.SpanContextFromContext(ctx)
	return sc.TraceID().String(), sc.SpanID().String()
}

type carrier metadata.MD

func (c carrier) Get(key string) string {
	if v := metadata.MD(c).Get(key); len(v) > 0 {
		return v[0]
	}
	return ""
}
func (c carrier) Set(key, value string) { metadata.MD(c).Set(key, value) }
func (c carrier) Keys() []string {
	keys := make([]string, 0, len(c))
	for k := range c {
		keys = append(keys, k)
	}
	return keys
}
