package biz_test

import (
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/zijlicht/zijlicht/services/anchor/internal/biz"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func TestStepsOfAnOrganisation(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		from string
		step biz.Step
		to   string
		code string
	}{
		{biz.Active, biz.Suspend, biz.Suspended, ""},
		{biz.Active, biz.Resume, biz.Active, ""},
		{biz.Active, biz.Remove, "", "organisation.suspend-first"},
		{biz.Active, biz.Pause, "", "step.unknown"},
		{biz.Suspended, biz.Suspend, biz.Suspended, ""},
		{biz.Suspended, biz.Resume, biz.Active, ""},
		{biz.Suspended, biz.Remove, biz.Removed, ""},
		{biz.Removed, biz.Suspend, "", "organisation.removed"},
		{biz.Removed, biz.Resume, "", "organisation.removed"},
		{biz.Removed, biz.Remove, biz.Removed, ""},
	} {
		to, err := biz.Organisation{State: c.from}.Next(c.step)
		if to != c.to || code(err) != c.code {
			t.Errorf("%s from %s: %q, %v", c.step, c.from, to, err)
		}
	}
}

func TestStepsOfACircle(t *testing.T) {
	t.Parallel()
	over := biz.Circle{State: biz.Active, ValidUntil: now}
	for _, c := range []struct {
		from biz.Circle
		step biz.Step
		to   string
		code string
	}{
		{biz.Circle{State: biz.Active}, biz.Pause, biz.Paused, ""},
		{biz.Circle{State: biz.Paused}, biz.Resume, biz.Active, ""},
		{biz.Circle{State: biz.Paused}, biz.End, biz.Ended, ""},
		{biz.Circle{State: biz.Ended}, biz.Resume, "", "circle.ended"},
		{biz.Circle{State: biz.Ended}, biz.End, biz.Ended, ""},
		{over, biz.Resume, "", "circle.ended"},
		{over, biz.End, biz.Active, ""}, // ended by itself: nothing to write
		{biz.Circle{State: biz.Active}, biz.Remove, "", "step.unknown"},
	} {
		to, err := c.from.Next(c.step, now)
		if to != c.to || code(err) != c.code {
			t.Errorf("%s from %s: %q, %v", c.step, c.from.State, to, err)
		}
	}
}

func TestMarks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ kind, state, mark, code string }{
		{biz.Wijkteam, biz.Active, biz.MarkLateralReview, ""},
		{biz.Wijkteam, biz.Suspended, biz.MarkMember, ""},
		{biz.Wijkteam, biz.Active, biz.MarkMunicipality, "mark.kind"},
		{biz.Municipality, biz.Active, biz.MarkMunicipality, ""},
		{biz.Municipality, biz.Active, "best", "mark.unknown"},
		{biz.Municipality, biz.Removed, biz.MarkMember, "organisation.removed"},
	} {
		if err := (biz.Organisation{Kind: c.kind, State: c.state}).MayHold(c.mark); code(err) != c.code {
			t.Errorf("%+v: %v", c, err)
		}
	}
	for _, kind := range biz.Kinds {
		for _, mark := range biz.DefaultMarks(kind) {
			if err := (biz.Organisation{Kind: kind, State: biz.Active}).MayHold(mark); err != nil {
				t.Errorf("default mark of a %s: %v", kind, err)
			}
		}
	}
}

// However organisations come and go, a circle never holds more than nine, nobody twice, and nobody joins who is not active.
func TestACircleStaysSmall(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := biz.Circle{ID: "k", State: rapid.SampledFrom([]string{biz.Active, biz.Paused, biz.Ended}).Draw(t, "state")}
		for range rapid.IntRange(0, 40).Draw(t, "steps") {
			o := biz.Organisation{
				ID:    strconv.Itoa(rapid.IntRange(0, 14).Draw(t, "organisation")),
				State: rapid.SampledFrom([]string{biz.Active, biz.Active, biz.Suspended, biz.Removed}).Draw(t, "organisation state"),
			}
			if rapid.Bool().Draw(t, "leaves") {
				if leaves, err := c.Leave(o.ID, now); err == nil && leaves {
					c.Members = slices.DeleteFunc(c.Members, func(id string) bool { return id == o.ID })
				}
				continue
			}
			joins, err := c.Join(o, now)
			if joins && (err != nil || o.State != biz.Active || c.State == biz.Ended) {
				t.Fatalf("%+v joins %+v", o, c)
			}
			if joins {
				c.Members = append(c.Members, o.ID)
			}
		}
		if len(c.Members) > biz.MaxCircle {
			t.Fatalf("%d members", len(c.Members))
		}
		if sorted := slices.Sorted(slices.Values(c.Members)); len(slices.Compact(sorted)) != len(c.Members) {
			t.Fatalf("twice: %v", c.Members)
		}
	})
}

func code(err error) string {
	if refusal := (*biz.Refusal)(nil); errors.As(err, &refusal) {
		return refusal.Code
	}
	return ""
}
