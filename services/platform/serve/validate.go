package serve

import (
	"context"
	"errors"
	"strings"

	"buf.build/go/protovalidate"
	"github.com/go-kratos/kratos/v2/middleware"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/zijlicht/zijlicht/services/platform/fault"
)

// MaxText is the largest text field in bytes; a larger one is refused whole, never cut.
const MaxText = 256 << 10

// validate checks a request against its contract. The answer names the field and
// the rule, never the value.
func validate(security Security) middleware.Middleware {
	return func(next middleware.Handler) middleware.Handler {
		return func(ctx context.Context, req any) (any, error) {
			m, ok := req.(proto.Message)
			if !ok {
				return nil, fault.Internal(fault.Note("request is not a message"))
			}
			err := texts(m.ProtoReflect(), "")
			if err == nil {
				err = rules(m)
			}
			if err != nil {
				security(ctx, operation(ctx), "invalid: "+fault.Dotted(fault.ReasonOf(err)))
				return nil, err
			}
			return next(ctx, req)
		}
	}
}

func rules(m proto.Message) error {
	err := protovalidate.Validate(m)
	if err == nil {
		return nil
	}
	var v *protovalidate.ValidationError
	if errors.As(err, &v) && len(v.Violations) > 0 {
		p := v.Violations[0].Proto
		return fault.Invalid(protovalidate.FieldPathString(p.GetField()), p.GetRuleId())
	}
	return fault.Internal(err)
}

// texts refuses what no field may hold: too much of it, or a NUL, which Postgres cannot keep.
func texts(m protoreflect.Message, path string) (err error) {
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		name := path + string(f.Name())
		switch {
		case f.IsMap():
			err = fault.Invalid(name, "map")
		case f.IsList():
			for i := range v.List().Len() {
				if err = value(f, v.List().Get(i), name); err != nil {
					break
				}
			}
		default:
			err = value(f, v, name)
		}
		return err == nil
	})
	return err
}

func value(f protoreflect.FieldDescriptor, v protoreflect.Value, name string) error {
	switch f.Kind() {
	case protoreflect.StringKind:
		if len(v.String()) > MaxText {
			return fault.TooLarge(name)
		}
		if strings.IndexByte(v.String(), 0) >= 0 {
			return fault.Invalid(name, "string.no-nul")
		}
	case protoreflect.BytesKind:
		if len(v.Bytes()) > MaxText {
			return fault.TooLarge(name)
		}
	case protoreflect.MessageKind:
		return texts(v.Message(), name+".")
	}
	return nil
}
