package deid_test

import (
	"context"
	"strings"
	"testing"

	"google.golang.org/grpc"

	"github.com/zijlicht/zijlicht/policies"
	deidv1 "github.com/zijlicht/zijlicht/proto/zijlicht/deid/v1"
	faultv1 "github.com/zijlicht/zijlicht/proto/zijlicht/fault/v1"
	"github.com/zijlicht/zijlicht/services/deid"
	"github.com/zijlicht/zijlicht/services/platform/fault"
	"github.com/zijlicht/zijlicht/services/platform/pgdb"
	"github.com/zijlicht/zijlicht/services/platform/pgtest"
	"github.com/zijlicht/zijlicht/services/platform/serve"
	"github.com/zijlicht/zijlicht/services/platform/servetest"
)

// suite is what the service promises, over either connection.
type suite struct {
	*servetest.Harness
	deid deidv1.DeidServiceClient
}

func (s suite) ctx(t *testing.T) context.Context {
	return s.As(t.Context(), servetest.Person("a", "team-oost", "professional"))
}

func TestService(t *testing.T) {
	t.Parallel()
	servetest.Both(t, func(t *testing.T, connect servetest.Connect) {
		db := pgtest.New(t, pgdb.Schema{Name: "deid", Login: true}) // the engine keeps nothing; the chain wants a log
		h := servetest.New(t, db, policies.Bundle(), "deid", connect, func(r grpc.ServiceRegistrar, _ grpc.ClientConnInterface) { deid.Register(r) })
		s := suite{Harness: h, deid: deidv1.NewDeidServiceClient(h.Conn)}
		t.Run("inspect", s.inspect)
		t.Run("compare", s.compare)
		t.Run("bad input", s.badInput)
	})
}

func (s suite) badInput(t *testing.T) {
	for name, c := range map[string]struct {
		ctx  context.Context
		req  *deidv1.InspectRequest
		want faultv1.Reason
	}{
		"no texts":  {s.ctx(t), &deidv1.InspectRequest{}, faultv1.Reason_REASON_INVALID_ARGUMENT},
		"nine":      {s.ctx(t), &deidv1.InspectRequest{Texts: make([]string, 9)}, faultv1.Reason_REASON_INVALID_ARGUMENT},
		"too large": {s.ctx(t), &deidv1.InspectRequest{Texts: []string{strings.Repeat("a", serve.MaxText+1)}}, faultv1.Reason_REASON_TOO_LARGE},
		"nobody":    {t.Context(), &deidv1.InspectRequest{Texts: []string{"a"}}, faultv1.Reason_REASON_UNAUTHENTICATED},
	} {
		if _, err := s.deid.Inspect(c.ctx, c.req); fault.ReasonOf(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func (s suite) inspect(t *testing.T) {
	r, err := s.deid.Inspect(s.ctx(t), &deidv1.InspectRequest{Texts: []string{"Over Wietske", "", "Wietske Brinkhuizen (43) belde."}})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Texts) != 3 || len(r.Texts[0].Spans) != 1 || len(r.Texts[1].Spans) != 0 || len(r.Texts[2].Spans) != 2 {
		t.Fatalf("%v", r)
	}
	a, b := r.Texts[0].Spans[0], r.Texts[2].Spans[0]
	if a.Entity != b.Entity || a.Proposal != b.Proposal || a.Start != 5 || b.Start != 0 || b.End != 19 || b.Type != "PERSON" {
		t.Errorf("%v %v", a, b)
	}
}

func (s suite) compare(t *testing.T) {
	for _, x := range []struct {
		texts, earlier []string
		level          uint32
		pure           bool
	}{
		{[]string{"Titel", "Persoon A belde."}, []string{"Titel", "Wietske belde."}, 0, true},
		{[]string{"Titel", "Wietske belde laat."}, []string{"Titel", "Wietske belde."}, 3, false},
		{[]string{"Persoon A belde."}, nil, 0, false},
		{[]string{"Persoon A belde."}, []string{"Persoon A belde.", "meer"}, 0, false},
	} {
		r, err := s.deid.Compare(s.ctx(t), &deidv1.CompareRequest{Texts: x.texts, Earlier: x.earlier})
		if err != nil {
			t.Fatal(err)
		}
		if r.Risk.Level != x.level || r.PureRemoval != x.pure || r.Risk.Sentence == "" {
			t.Errorf("%v: %v", x.texts, r)
		}
	}
}
