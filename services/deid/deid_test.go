package deid_test

import (
	"context"
	"net"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	deidv1 "github.com/zijlicht/zijlicht/proto/zijlicht/deid/v1"
	"github.com/zijlicht/zijlicht/services/deid"
)

func client(t *testing.T) deidv1.DeidServiceClient {
	t.Helper()
	l := bufconn.Listen(1 << 20)
	s := grpc.NewServer()
	deid.Register(s)
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
	c, err := grpc.NewClient("passthrough:///deid", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return deidv1.NewDeidServiceClient(c)
}

func TestInspectOverTexts(t *testing.T) {
	t.Parallel()
	r, err := client(t).Inspect(t.Context(), &deidv1.InspectRequest{Texts: []string{"Over Wietske", "", "Wietske Brinkhuizen (43) belde."}})
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

func TestCompare(t *testing.T) {
	t.Parallel()
	c := client(t)
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
		r, err := c.Compare(t.Context(), &deidv1.CompareRequest{Texts: x.texts, Earlier: x.earlier})
		if err != nil {
			t.Fatal(err)
		}
		if r.Risk.Level != x.level || r.PureRemoval != x.pure || r.Risk.Sentence == "" {
			t.Errorf("%v: %v", x.texts, r)
		}
	}
}
