package consent_test

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	consentv1 "github.com/zijlicht/zijlicht/proto/zijlicht/consent/v1"
	"github.com/zijlicht/zijlicht/services/consent/consenttest"
	"github.com/zijlicht/zijlicht/services/platform/pgtest"
	"github.com/zijlicht/zijlicht/services/platform/servetest"
)

// TestWhatCannotBeAsked: without log, outbox, cases or gateway there is a refusal, and nothing is half done.
func TestWhatCannotBeAsked(t *testing.T) {
	t.Parallel()
	servetest.Both(t, func(t *testing.T, connect servetest.Connect) {
		s := newSuite(t, connect, 0)
		id, other := s.draft(), s.draft()
		req := &consentv1.WithdrawRequest{ReceiptCode: s.yes(t, id).GetReceiptCode()}
		register := func() error { return err2(s.Consent.RegisterGrant(s.author(t), request(other))) }
		unchanged := func() {
			t.Helper()
			if s.count(t, "consent.withdrawal") != 0 || s.count(t, "outbox.river_job") != 0 || s.count(t, "consent.consent_grant") != 1 {
				t.Fatal("half done")
			}
		}
		for _, right := range []string{"execute on function audit.append(jsonb)", "insert on outbox.river_job", "insert on consent.withdrawal"} {
			s.exec(t, "revoke "+right+` from "zl_test_consent"`)
			if err := err2(s.Consent.Withdraw(s.resident(t), req)); err == nil {
				t.Fatalf("withdrawn without %s", right)
			}
			unchanged()
			s.exec(t, "grant "+right+` to "zl_test_consent"`)
		}

		s.exec(t, `revoke execute on function audit.append(jsonb) from "zl_test_consent"`)
		want(t, register(), unavailable)
		want(t, err2(s.Consent.ListGrants(s.author(t), &consentv1.ListGrantsRequest{CaseId: id})), unavailable)
		want(t, err2(s.Consent.GetReceipt(s.resident(t), &consentv1.GetReceiptRequest{ReceiptCode: req.ReceiptCode})), unavailable)
		want(t, err2(s.Consent.GetReceipt(s.resident(t), &consentv1.GetReceiptRequest{ReceiptCode: "x"})), unavailable)
		unchanged()
		s.exec(t, `grant execute on function audit.append(jsonb) to "zl_test_consent"`)

		s.Gateway.Down.Store(true)
		want(t, register(), unavailable)
		s.Gateway.Down.Store(false)
		s.Cases.Down.Store(true)
		want(t, register(), unavailable)
		want(t, err2(s.Consent.GetReceipt(s.resident(t), &consentv1.GetReceiptRequest{ReceiptCode: req.ReceiptCode})), unavailable)
		unchanged()

		// To stop needs nothing but the register.
		if err := err2(s.Consent.Withdraw(s.resident(t), req)); err != nil {
			t.Fatalf("afterwards: %v", err)
		}
		if s.count(t, "consent.withdrawal") != 1 || s.count(t, "outbox.river_job") != 1 {
			t.Fatal("not withdrawn")
		}
	})
}

func (s suite) exec(t *testing.T, sql string) {
	t.Helper()
	if _, err := s.DB.Admin().Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

// TestRights: what was agreed is only added to, and others see the view alone.
func TestRights(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t, consenttest.Schemas()...)
	id := uuid.NewString()
	consenttest.Withdraw(t, db, consenttest.Grant(t, db, consenttest.Yes{CaseID: id, Revision: 1, Given: time.Unix(0, 0)}), time.Unix(1, 0))
	for role, statements := range map[string][]string{
		"consent": {
			"update consent.consent_grant set valid_until = valid_until + interval '1 year'",
			"delete from consent.consent_grant",
			"truncate consent.withdrawal",
			"delete from consent.withdrawal",
			"update consent.withdrawal set withdrawn_time = now()",
			"delete from consent.grant_organisation",
			"update consent.grant_organisation set organisation = 'x'",
			"create table consent.mine (id int)",
			"drop view consent.effective_grant",
			"select from audit.decision",
		},
		"cases": {
			"select from consent.consent_grant",
			"select from consent.grant_organisation",
			"select from consent.withdrawal",
			"select from consent.standing",
			"insert into consent.withdrawal values (gen_random_uuid(), now())",
			"update consent.effective_grant set state = 'granted'",
			"delete from consent.effective_grant",
		},
	} {
		for _, sql := range statements {
			if _, err := db.Pool(role).Exec(t.Context(), sql); err == nil {
				t.Errorf("%s may: %s", role, sql)
			}
		}
	}
	var n int
	if err := db.Pool("cases").QueryRow(t.Context(), "select count(*) from consent.effective_grant where case_id = $1", id).Scan(&n); err != nil || n != 1 {
		t.Fatalf("cases reads %d rows: %v", n, err)
	}
}

// TestEffectiveGrant: against what is said one after the other, the view has one row
// per key, of the newest yes, withdrawn when a withdrawal came after it.
func TestEffectiveGrant(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t, consenttest.Schemas()...)
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	type key struct {
		revision uint32
		circle   string
	}
	type said struct {
		id            string
		key           key
		organisations []string
		at            time.Time
	}
	rapid.Check(t, func(rt *rapid.T) {
		caseID := uuid.NewString()
		var grants []said
		newest := map[key]said{}
		stopped := map[string]time.Time{} // circle: the last withdrawal
		own := map[string]bool{}
		for i := range rapid.IntRange(1, 9).Draw(rt, "steps") {
			at := start.Add(time.Duration(i) * time.Hour)
			if len(grants) > 0 && rapid.Bool().Draw(rt, "withdraw") {
				g := rapid.SampledFrom(grants).Draw(rt, "which")
				if own[g.id] {
					continue
				}
				own[g.id] = true
				consenttest.Withdraw(t, db, g.id, at)
				stopped[g.key.circle] = at
				continue
			}
			k := key{rapid.Uint32Range(1, 2).Draw(rt, "revision"), rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "circle")}
			orgs := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"x", "y", "z"}), 1, 3, rapid.ID[string]).Draw(rt, "organisations")
			g := said{consenttest.Grant(t, db, consenttest.Yes{CaseID: caseID, Revision: k.revision, Circle: k.circle, Organisations: orgs, Given: at}), k, orgs, at}
			grants, newest[k] = append(grants, g), g
		}
		var want []string
		for k, g := range newest {
			state := "granted"
			if w, ok := stopped[k.circle]; ok && !w.Before(g.at) {
				state = "withdrawn"
			}
			for _, o := range g.organisations {
				want = append(want, fmt.Sprint(k.revision, k.circle, o, state, g.at.AddDate(0, 6, 0).Unix()))
			}
		}
		rows, err := db.Pool("cases").Query(t.Context(), `
			select revision, circle, organisation, state, valid_until from consent.effective_grant where case_id = $1 and purpose = $2`,
			caseID, consenttest.Purpose)
		if err != nil {
			rt.Fatal(err)
		}
		defer rows.Close()
		var got []string
		for rows.Next() {
			var revision uint32
			var circle, organisation, state string
			var until time.Time
			if err := rows.Scan(&revision, &circle, &organisation, &state, &until); err != nil {
				rt.Fatal(err)
			}
			got = append(got, fmt.Sprint(revision, circle, organisation, state, until.Unix()))
		}
		slices.SortFunc(want, cmp.Compare[string])
		slices.SortFunc(got, cmp.Compare[string])
		if !slices.Equal(got, want) {
			rt.Fatalf("view %v\nwant %v", got, want)
		}
	})
}
