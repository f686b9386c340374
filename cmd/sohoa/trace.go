package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"sohoa/pipeline"
)

// traces sends what happens to documents and requests to an OpenTelemetry
// collector. A document's trace has the document's own id, which is sixteen bytes
// as a trace's is: whichever host a stage runs on, and however long after the
// reception, it belongs to the same trace, and whoever knows a document from a
// log or a record finds its trace. The nil value traces nothing.
type traces struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
}

func openTraces(ctx context.Context, endpoint string, log zerolog.Logger) (*traces, error) {
	if endpoint == "" {
		return nil, nil
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("want http://host:4318 or https://…")
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(u.JoinPath("v1", "traces").String()))
	if err != nil {
		return nil, err
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn().Err(err).Msg("traces were not delivered") }))
	host, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	t := &traces{provider: sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(exporter), // never waits for the collector: what does not fit is dropped
		sdktrace.WithIDGenerator(documentIDs{}),
		sdktrace.WithSampler(sdktrace.AlwaysSample()),
		sdktrace.WithResource(resource.NewSchemaless(attribute.String("service.name", "sohoa"), attribute.String("service.version", version()),
			attribute.String("host.name", host), attribute.Int("process.pid", os.Getpid()))))}
	t.tracer = t.provider.Tracer("sohoa")
	return t, nil
}

// Close sends what has not been sent yet.
func (t *traces) Close() error {
	if t == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return t.provider.Shutdown(ctx)
}

// observe enters a stage of a document. The reception is the root.
func (t *traces) observe(ctx context.Context, o pipeline.Observation) {
	if t == nil {
		return
	}
	id, err := uuid.Parse(o.Document)
	if err != nil { // what got no id is in the request's trace
		return
	}
	options := []trace.SpanStartOption{trace.WithTimestamp(o.Start), trace.WithAttributes(
		attribute.String("document", o.Document), attribute.String("unit", string(o.Unit)),
		attribute.String("door", string(o.Door)), attribute.String("outcome", string(o.Outcome)))}
	if request := trace.SpanContextFromContext(ctx); request.IsValid() {
		options = append(options, trace.WithLinks(trace.Link{SpanContext: request}))
	}
	of := context.WithValue(context.Background(), documentKey{}, id)
	if o.Stage != "receive" || o.Again {
		of = trace.ContextWithRemoteSpanContext(of, trace.NewSpanContext(trace.SpanContextConfig{
			TraceID: trace.TraceID(id), SpanID: rootOf(id), TraceFlags: trace.FlagsSampled, Remote: true}))
	}
	_, span := t.tracer.Start(of, o.Stage, options...)
	if o.Outcome == pipeline.Fault {
		span.SetStatus(codes.Error, "") // why stands in the log
	}
	span.End(trace.WithTimestamp(o.End))
}

// request is what the doors call for every request, or nil.
func (t *traces) request() func(*http.Request) (context.Context, func(route, request string, status int)) {
	if t == nil {
		return nil
	}
	return func(r *http.Request) (context.Context, func(string, string, int)) {
		ctx := propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
		ctx, span := t.tracer.Start(ctx, r.Method, trace.WithSpanKind(trace.SpanKindServer))
		return ctx, func(route, request string, status int) {
			span.SetName(route) // the pattern: the address itself may name somebody
			span.SetAttributes(attribute.String("http.route", route), attribute.String("request", request),
				attribute.Int("http.response.status_code", status))
			if status >= 500 {
				span.SetStatus(codes.Error, "")
			}
			span.End()
		}
	}
}

// rootOf is the span of a document's reception: the half of its id that is by
// chance.
func rootOf(id uuid.UUID) trace.SpanID { return trace.SpanID(id[8:]) }

type documentKey struct{}

// documentIDs gives a document's first span the document's id as trace; all
// others get theirs by chance.
type documentIDs struct{}

func (documentIDs) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	if id, ok := ctx.Value(documentKey{}).(uuid.UUID); ok {
		return trace.TraceID(id), rootOf(id)
	}
	id := uuid.New()
	return trace.TraceID(id), rootOf(uuid.New())
}

func (documentIDs) NewSpanID(context.Context, trace.TraceID) trace.SpanID { return rootOf(uuid.New()) }
