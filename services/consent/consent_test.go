package consent_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/zijlicht/zijlicht/policies"
	casesv1 "github.com/zijlicht/zijlicht/proto/zijlicht/cases/v1"
	consentv1 "github.com/zijlicht/zijlicht/proto/zijlicht/consent/v1"
	faultv1 "github.com/zijlicht/zijlicht/proto/zijlicht/fault/v1"
	"github.com/zijlicht/zijlicht/services/consent/consenttest"
	"github.com/zijlicht/zijlicht/services/platform/fault"
	"github.com/zijlicht/zijlicht/services/platform/servetest"
)

const (
	invalid     = faultv1.Reason_REASON_INVALID_ARGUMENT
	notFound    = faultv1.Reason_REASON_NOT_FOUND
	unavailable = faultv1.Reason_REASON_CHECK_UNAVAILABLE
	conflict    = faultv1.Reason_REASON_EDIT_CONFLICT
	wrongState  = faultv1.Reason_REASON_WRONG_STATE
	refused     = faultv1.Reason_REASON_REFUSED
)

const unit = "team-oost"

type suite struct {
	*consenttest.Node
	authorID string
}

func newSuite(t *testing.T, connect servetest.Connect, thinking time.Duration) suite {
	t.Helper()
	return suite{consenttest.New(t, policies.Bundle(), connect, thinking), uuid.NewString()}
}

func TestService(t *testing.T) {
	t.Parallel()
	servetest.Both(t, func(t *testing.T, connect servetest.Connect) {
		s := newSuite(t, connect, 0)
		for name, test := range map[string]func(suite, *testing.T){
			"register":              suite.register,
			"register refused":      suite.registerRefused,
			"register twice":        suite.registerTwice,
			"period":                suite.period,
			"list":                  suite.list,
			"receipt":               suite.receipt,
			"withdraw":              suite.withdraw,
			"withdraw at once":      suite.withdrawAtOnce,
			"older receipt":         suite.olderReceipt,
			"one answer for no yes": suite.oneAnswer,
			"callers":               suite.callers,
		} {
			t.Run(name, func(t *testing.T) { t.Parallel(); test(s, t) })
		}
	})
}

func (s suite) author(t *testing.T) context.Context {
	return s.As(t.Context(), servetest.Person(s.authorID, unit, "professional"))
}

func (s suite) resident(t *testing.T) context.Context { return s.As(t.Context(), servetest.Receipt()) }

func (s suite) draft() string { return s.Cases.Draft(s.authorID, unit) }

func request(caseID string) *consentv1.RegisterGrantRequest {
	return &consentv1.RegisterGrantRequest{
		RequestId: uuid.NewString(), CaseId: caseID, Revision: 1, Circle: servetest.Circle, Manner: "on-screen",
	}
}

func (s suite) yes(t *testing.T, caseID string) *consentv1.RegisterGrantResponse {
	t.Helper()
	return ok(s.Consent.RegisterGrant(s.author(t), request(caseID)))(t)
}

func ok[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatalf("%v (%s)", err, fault.CodeOf(err))
		}
		return v
	}
}

func err2[T any](_ T, err error) error { return err }

func want(t *testing.T, err error, reason faultv1.Reason, code ...string) {
	t.Helper()
	if fault.ReasonOf(err) != reason {
		t.Fatalf("answer %v, want %v", err, reason)
	}
	if len(code) > 0 && fault.CodeOf(err) != code[0] {
		t.Fatalf("code %q, want %q", fault.CodeOf(err), code[0])
	}
}

func (s suite) count(t *testing.T, sql string, args ...any) (n int) {
	t.Helper()
	if err := s.DB.Admin().QueryRow(t.Context(), "select count(*) from "+sql, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// effective gives the states that cases reads, with the role of cases.
func (s suite) effective(t *testing.T, caseID string) (states []string) {
	t.Helper()
	rows := ok(s.DB.Pool("cases").Query(t.Context(),
		"select organisation || ' ' || state from consent.effective_grant where case_id = $1 order by revision, circle, organisation", caseID))(t)
	defer rows.Close()
	for rows.Next() {
		var state string
		if err := rows.Scan(&state); err != nil {
			t.Fatal(err)
		}
		states = append(states, state)
	}
	return states
}

func (s suite) register(t *testing.T) {
	id := s.draft()
	s.Cases.Change(id, func(f *casesv1.CaseFacts) { f.Revision = 3; f.BasisRevision = 2 })
	req := request(id)
	req.Revision = 3
	res := ok(s.Consent.RegisterGrant(s.author(t), req))(t)
	g, now := res.GetGrant(), s.Clock.Now()
	if g.GetRevision() != 2 || g.GetState() != "granted" || g.GetPurpose() != "learning-in-circle" || g.GetCircle() != servetest.Circle {
		t.Fatalf("the yes: %v", g)
	}
	if o := g.GetOrganisations(); len(o) != 1 || o[0] != servetest.Peer {
		t.Fatalf("organisations that may read: %v", o)
	}
	if !g.GetValidFromTime().AsTime().Equal(now) || !g.GetValidUntilTime().AsTime().Equal(now.AddDate(0, 6, 0)) {
		t.Fatalf("counts from %v until %v", g.GetValidFromTime().AsTime(), g.GetValidUntilTime().AsTime())
	}
	if len(res.GetReceiptCode()) != 21 {
		t.Fatalf("code %q", res.GetReceiptCode())
	}
	if got := s.effective(t, id); len(got) != 1 || got[0] != servetest.Peer+" granted" {
		t.Fatalf("what cases reads: %v", got)
	}
	var kept string
	if err := s.DB.Admin().QueryRow(t.Context(), "select row_to_json(g)::text from consent.consent_grant as g where case_id = $1", id).Scan(&kept); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(kept, res.GetReceiptCode()) || strings.Contains(kept, strings.ReplaceAll(res.GetReceiptCode(), "-", "")[:16]) {
		t.Fatal("the receipt code itself is kept")
	}
}

func (s suite) registerRefused(t *testing.T) {
	for _, c := range []struct {
		name   string
		facts  func(*casesv1.CaseFacts)
		req    func(*consentv1.RegisterGrantRequest)
		reason faultv1.Reason
		code   string
	}{
		{"someone else's", func(f *casesv1.CaseFacts) { f.Author = uuid.NewString() }, nil, notFound, ""},
		{"another team's", func(f *casesv1.CaseFacts) { f.Author, f.Unit = uuid.NewString(), "team-west" }, nil, notFound, ""},
		{"closed", func(f *casesv1.CaseFacts) { f.Status, f.ClosedReason = "closed", "withdrawn" }, nil, refused, ""},
		{"another revision", func(f *casesv1.CaseFacts) { f.Revision = 2 }, nil, conflict, ""},
		{"nothing to read", func(f *casesv1.CaseFacts) { f.Risk = -1 }, nil, wrongState, "risk.unknown"},
		{"unknown circle", nil, func(r *consentv1.RegisterGrantRequest) { r.Circle = "kring-onbekend" }, refused, "circle.no_agreement"},
		{"circle of others", nil, func(r *consentv1.RegisterGrantRequest) { r.Circle = consenttest.Elsewhere }, refused, "circle.no_agreement"},
		{"nobody else", nil, func(r *consentv1.RegisterGrantRequest) { r.Circle = consenttest.Alone }, refused, "circle.no_agreement"},
		{"unknown case", nil, func(r *consentv1.RegisterGrantRequest) { r.CaseId = uuid.NewString() }, notFound, ""},
		{"purpose", nil, func(r *consentv1.RegisterGrantRequest) { r.Purpose = "controle" }, invalid, ""},
		{"manner", nil, func(r *consentv1.RegisterGrantRequest) { r.Manner = "gehoord" }, invalid, ""},
		{"no revision", nil, func(r *consentv1.RegisterGrantRequest) { r.Revision = 0 }, invalid, ""},
		{"over", nil, func(r *consentv1.RegisterGrantRequest) { r.ValidUntilTime = timestamppb.New(s.Clock.Now()) }, invalid, ""},
		{"too long", nil, func(r *consentv1.RegisterGrantRequest) {
			r.ValidUntilTime = timestamppb.New(s.Clock.Now().AddDate(1, 0, 1))
		}, invalid, ""},
		{"no time at all", nil, func(r *consentv1.RegisterGrantRequest) { r.ValidUntilTime = &timestamppb.Timestamp{Seconds: 1 << 60} }, invalid, ""},
	} {
		id := s.draft()
		if c.facts != nil {
			s.Cases.Change(id, c.facts)
		}
		req := request(id)
		if c.req != nil {
			c.req(req)
		}
		err := err2(s.Consent.RegisterGrant(s.author(t), req))
		if fault.ReasonOf(err) != c.reason || c.code != "" && fault.CodeOf(err) != c.code {
			t.Errorf("%s: %v (%s)", c.name, err, fault.CodeOf(err))
		}
		if s.count(t, "consent.consent_grant where case_id = $1", id) != 0 {
			t.Errorf("%s: a yes was recorded", c.name)
		}
	}
}

func (s suite) registerTwice(t *testing.T) {
	req := request(s.draft())
	first := ok(s.Consent.RegisterGrant(s.author(t), req))(t)
	again := ok(s.Consent.RegisterGrant(s.author(t), req))(t)
	if !proto.Equal(first, again) {
		t.Fatalf("twice: %v and %v", first, again)
	}
	var wg sync.WaitGroup
	many := request(s.draft())
	codes := make([]string, 8)
	for i := range codes {
		wg.Go(func() {
			res, err := s.Consent.RegisterGrant(s.author(t), many)
			if err != nil {
				t.Error(err)
			}
			codes[i] = res.GetReceiptCode()
		})
	}
	wg.Wait()
	for _, c := range codes {
		if c != codes[0] {
			t.Fatal("two codes for one yes")
		}
	}
	if n := s.count(t, "consent.consent_grant where case_id = $1", many.CaseId); n != 1 {
		t.Fatalf("%d yeses", n)
	}
	other := request(s.draft())
	other.RequestId = req.RequestId
	want(t, err2(s.Consent.RegisterGrant(s.author(t), other)), invalid)
	if s.count(t, "consent.consent_grant where case_id = $1", other.CaseId) != 0 {
		t.Fatal("a yes under another's request")
	}
}

func (s suite) period(t *testing.T) {
	req := request(s.draft())
	until := s.Clock.Now().Add(31*24*time.Hour + 1234567*time.Nanosecond)
	req.ValidUntilTime = timestamppb.New(until)
	first := ok(s.Consent.RegisterGrant(s.author(t), req))(t)
	if !first.GetGrant().GetValidUntilTime().AsTime().Equal(until.Truncate(time.Microsecond)) {
		t.Fatalf("until %v", first.GetGrant().GetValidUntilTime().AsTime())
	}
	if again := ok(s.Consent.RegisterGrant(s.author(t), req))(t); !proto.Equal(first, again) {
		t.Fatalf("twice: %v and %v", first, again)
	}
}

func (s suite) list(t *testing.T) {
	id := s.draft()
	first := s.yes(t, id)
	ok(s.Consent.Withdraw(s.resident(t), &consentv1.WithdrawRequest{ReceiptCode: first.GetReceiptCode()}))(t)
	req := &consentv1.ListGrantsRequest{CaseId: id}
	got := ok(s.Consent.ListGrants(s.author(t), req))(t).GetGrants()
	if len(got) != 1 || got[0].GetState() != "withdrawn" || got[0].GetWithdrawnTime() == nil {
		t.Fatalf("the list: %v", got)
	}
	colleague := servetest.Person(uuid.NewString(), unit, "professional")
	want(t, err2(s.Consent.ListGrants(s.As(t.Context(), colleague), req)), notFound)
	stranger := servetest.Person(uuid.NewString(), "team-west", "professional")
	if err := err2(s.Consent.ListGrants(s.As(t.Context(), stranger), req)); err == nil {
		t.Fatal("a list for another team")
	}
	want(t, err2(s.Consent.ListGrants(s.As(t.Context(), servetest.PeerReader("x")), req)), notFound)
	want(t, err2(s.Consent.ListGrants(s.author(t), &consentv1.ListGrantsRequest{CaseId: uuid.NewString()})), notFound)
}

func (s suite) receipt(t *testing.T) {
	id := s.draft()
	code := s.yes(t, id).GetReceiptCode()
	look := func(code string) *consentv1.Receipt {
		t.Helper()
		return ok(s.Consent.GetReceipt(s.resident(t), &consentv1.GetReceiptRequest{ReceiptCode: code}))(t)
	}
	for _, typed := range []string{code, strings.ToLower(code), strings.ReplaceAll(code, "-", " "), " " + strings.ReplaceAll(code, "-", "") + " "} {
		r := look(typed)
		if r.GetState() != "shared" || len(r.GetOrganisations()) != 1 || r.GetOrganisations()[0] != "Wijkteam Zuid" {
			t.Fatalf("receipt by %q: %v", typed, r)
		}
	}
	s.Cases.Change(id, func(f *casesv1.CaseFacts) { f.Status, f.ClosedReason = "closed", "removed" })
	if r := look(code); r.GetState() != "stopped" {
		t.Fatalf("receipt of a closed case: %v", r)
	}
}

func (s suite) withdraw(t *testing.T) {
	id := s.draft()
	code := s.yes(t, id).GetReceiptCode()
	req := &consentv1.WithdrawRequest{ReceiptCode: code}
	first := ok(s.Consent.Withdraw(s.resident(t), req))(t)
	if first.GetState() != "stopped" || !first.GetWithdrawnTime().AsTime().Equal(s.Clock.Now()) {
		t.Fatalf("receipt: %v", first)
	}
	if got := s.effective(t, id); len(got) != 1 || got[0] != servetest.Peer+" withdrawn" {
		t.Fatalf("what cases reads at the commit: %v", got)
	}
	again := ok(s.Consent.Withdraw(s.resident(t), req))(t)
	if !proto.Equal(first, again) {
		t.Fatalf("twice: %v and %v", first, again)
	}
	if n := s.count(t, "outbox.river_job where kind = 'lapsed' and args->>'case_id' = $1", id); n != 1 {
		t.Fatalf("%d jobs", n)
	}
	if r := ok(s.Consent.GetReceipt(s.resident(t), &consentv1.GetReceiptRequest{ReceiptCode: code}))(t); r.GetState() != "stopped" {
		t.Fatalf("receipt afterwards: %v", r)
	}
}

func (s suite) withdrawAtOnce(t *testing.T) {
	id := s.draft()
	req := &consentv1.WithdrawRequest{ReceiptCode: s.yes(t, id).GetReceiptCode()}
	receipts := make([]*consentv1.Receipt, 40)
	var wg sync.WaitGroup
	for i := range receipts {
		wg.Go(func() {
			var err error
			if receipts[i], err = s.Consent.Withdraw(s.resident(t), req); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, r := range receipts {
		if !proto.Equal(r, receipts[0]) {
			t.Fatalf("different answers: %v and %v", r, receipts[0])
		}
	}
	if n := s.count(t, "consent.withdrawal as w join consent.consent_grant as g on g.id = w.grant_id where g.case_id = $1", id); n != 1 {
		t.Fatalf("%d withdrawals", n)
	}
	if n := s.count(t, "outbox.river_job where kind = 'lapsed' and args->>'case_id' = $1", id); n != 1 {
		t.Fatalf("%d jobs", n)
	}
}

// olderReceipt: whoever stops with the first of two papers stops what was agreed, not one paper.
func (s suite) olderReceipt(t *testing.T) {
	id := s.draft()
	first, second := s.yes(t, id), s.yes(t, id)
	ok(s.Consent.Withdraw(s.resident(t), &consentv1.WithdrawRequest{ReceiptCode: first.GetReceiptCode()}))(t)
	if got := s.effective(t, id); len(got) != 1 || got[0] != servetest.Peer+" withdrawn" {
		t.Fatalf("what cases reads: %v", got)
	}
	r := ok(s.Consent.GetReceipt(s.resident(t), &consentv1.GetReceiptRequest{ReceiptCode: second.GetReceiptCode()}))(t)
	if r.GetState() != "stopped" || r.GetWithdrawnTime() == nil {
		t.Fatalf("the other receipt: %v", r)
	}
}

// oneAnswer: a wrong code, a malformed one and one that never was are told apart by nobody.
func (s suite) oneAnswer(t *testing.T) {
	code := s.yes(t, s.draft()).GetReceiptCode()
	last := "0"
	if strings.HasSuffix(code, "0") {
		last = "1"
	}
	var first error
	for _, wrong := range []string{code[:len(code)-1] + last, "0000-0000-0000-0000-0", "x", "'; drop", strings.Repeat("é", 60), code + code[:5]} {
		for _, err := range []error{
			err2(s.Consent.GetReceipt(s.resident(t), &consentv1.GetReceiptRequest{ReceiptCode: wrong})),
			err2(s.Consent.Withdraw(s.resident(t), &consentv1.WithdrawRequest{ReceiptCode: wrong})),
		} {
			want(t, err, notFound)
			if first == nil {
				first = err
			}
			if err.Error() != first.Error() {
				t.Fatalf("%q answers %v, another %v", wrong, err, first)
			}
		}
	}
}

func (s suite) callers(t *testing.T) {
	id := s.draft()
	code := s.yes(t, id).GetReceiptCode()
	for _, ctx := range []context.Context{s.author(t), s.As(t.Context(), servetest.PeerReader("x")), s.As(t.Context(), servetest.Worker("closer"))} {
		if err := err2(s.Consent.Withdraw(ctx, &consentv1.WithdrawRequest{ReceiptCode: code})); err == nil {
			t.Error("withdrawn without being the resident")
		}
	}
	want(t, err2(s.Consent.RegisterGrant(s.resident(t), request(id))), notFound)
	want(t, err2(s.Consent.Withdraw(t.Context(), &consentv1.WithdrawRequest{ReceiptCode: code})), faultv1.Reason_REASON_UNAUTHENTICATED)
	if got := s.effective(t, id); len(got) != 1 || got[0] != servetest.Peer+" granted" {
		t.Fatalf("what cases reads: %v", got)
	}
}

// TestStates walks a receipt through time.
func TestStates(t *testing.T) {
	t.Parallel()
	servetest.Both(t, func(t *testing.T, connect servetest.Connect) {
		week := 7 * 24 * time.Hour
		s := newSuite(t, connect, week)
		id := s.draft()
		res := s.yes(t, id)
		if from := res.GetGrant().GetValidFromTime().AsTime(); !from.Equal(s.Clock.Now().Add(week)) {
			t.Fatalf("counts from %v", from)
		}
		soon := request(s.draft())
		soon.ValidUntilTime = timestamppb.New(s.Clock.Now().Add(week - time.Second))
		want(t, err2(s.Consent.RegisterGrant(s.author(t), soon)), invalid) // over before it counts
		for _, step := range []struct {
			state string
			then  time.Duration
		}{{"waiting", week}, {"shared", 183 * 24 * time.Hour}, {"ended", 0}} {
			r := ok(s.Consent.GetReceipt(s.resident(t), &consentv1.GetReceiptRequest{ReceiptCode: res.GetReceiptCode()}))(t)
			if r.GetState() != step.state {
				t.Fatalf("%q, want %q", r.GetState(), step.state)
			}
			s.Clock.Advance(step.then)
		}
	})
}
