package service

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	casesv1 "github.com/zijlicht/zijlicht/proto/zijlicht/cases/v1"
	deidv1 "github.com/zijlicht/zijlicht/proto/zijlicht/deid/v1"
	"github.com/zijlicht/zijlicht/services/cases/internal/biz"
	"github.com/zijlicht/zijlicht/services/cases/internal/data"
	"github.com/zijlicht/zijlicht/services/platform/fault"
	"github.com/zijlicht/zijlicht/services/platform/keys"
	"github.com/zijlicht/zijlicht/services/platform/serve"
)

// ResolveProposals implements casesv1.CasesServiceServer. Other choices for a
// revision that others can read already make a new revision: a yes binds to a
// number, so what stands behind a number never changes.
func (s *Service) ResolveProposals(ctx context.Context, req *casesv1.ResolveProposalsRequest) (*casesv1.Case, error) {
	choices := make([]biz.Choice, len(req.GetChoices()))
	for i, c := range req.GetChoices() {
		choices[i] = biz.Choice{Proposal: c.GetProposalId(), Choice: c.GetChoice(), Replacement: c.GetReplacement()}
	}
	done, err := s.turn(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	return s.change(ctx, own(ctx, req.GetCaseId()), func(tx pgx.Tx, key *keys.Key, c *biz.Case) (bool, error) {
		if err := c.At(req.GetRevision()); err != nil {
			return false, err
		}
		proposals, revision, err := data.Proposals(ctx, tx, key, *c)
		if err != nil {
			return false, err
		}
		if revision != c.Revision {
			return false, fault.WrongState("case.not_proposed")
		}
		chosen, changed, err := biz.Choose(proposals, choices, req.GetAcceptOpen())
		if err != nil || c.Rendered() && !changed {
			return false, err
		}
		t, err := data.Original(ctx, tx, key, *c)
		if err != nil {
			return false, err
		}
		if c.Rendered() {
			c.Edit()
			if err := data.AddRevision(ctx, tx, key, *c, t); err != nil {
				return false, err
			}
		}
		if err := data.SaveProposals(ctx, tx, key, *c, chosen); err != nil {
			return false, err
		}
		if biz.AllChosen(chosen) {
			err = s.complete(ctx, tx, key, c, t, chosen)
		}
		return true, err
	})
}

// turn waits until the service may ask deid something with a case locked. A long
// text takes a second; with two at a time there are connections left for everyone else.
func (s *Service) turn(ctx context.Context) (done func(), err error) {
	if err := s.turns.Acquire(ctx, 1); err != nil {
		return nil, fault.Unavailable(fault.Because("waiting for a turn at deid", err))
	}
	return func() { s.turns.Release(1) }, nil
}

// maxProposals is as many as one call can choose about; an answer with more would not fit in a message.
const maxProposals = 5000

// inspect asks deid about the current revision, takes earlier choices over and stores both.
func (s *Service) inspect(ctx context.Context, tx pgx.Tx, key *keys.Key, c biz.Case, t biz.Text) ([]biz.Proposal, error) {
	allow, deny, err := data.Words(ctx, tx)
	if err != nil {
		return nil, err
	}
	fields := t.Fields()
	res, err := s.Deid.Inspect(ctx, &deidv1.InspectRequest{Texts: fields, Allow: allow, Deny: deny})
	if err != nil {
		return nil, asked(err)
	}
	if len(res.GetTexts()) != len(fields) {
		return nil, fault.Internal(errors.New("deid answered another number of texts"))
	}
	var found []biz.Proposal
	for i, text := range res.GetTexts() {
		for _, p := range text.GetSpans() {
			found = append(found, biz.Proposal{
				Field: i, Start: p.GetStart(), End: p.GetEnd(), Type: p.GetType(), Text: p.GetText(), Entity: p.GetEntity(),
				Confidence: p.GetConfidence(), Replacement: p.GetProposal(), Why: p.GetWhy(),
			})
		}
	}
	if len(found) > maxProposals {
		return nil, fault.TooLarge("proposals")
	}
	earlier, _, err := data.Proposals(ctx, tx, key, c)
	if err != nil {
		return nil, err
	}
	proposals := biz.Carry(earlier, found)
	return proposals, data.SaveProposals(ctx, tx, key, c, proposals)
}

// complete makes what others read of the current revision, now that the author has
// chosen, and settles whether the yes and the release still hold.
func (s *Service) complete(ctx context.Context, tx pgx.Tx, key *keys.Key, c *biz.Case, t biz.Text, proposals []biz.Proposal) error {
	rendered, err := biz.Render(t, proposals)
	if err != nil {
		return fault.Internal(err)
	}
	compare := &deidv1.CompareRequest{Texts: rendered.Fields()}
	for i, text := range compare.Texts {
		if len(text) > serve.MaxText {
			return fault.TooLarge("choices." + biz.FieldNames[i])
		}
	}
	if c.RenderedRevision > 0 {
		earlier, err := data.Rendition(ctx, tx, key, c.ID, c.RenderedRevision)
		if err != nil {
			return err
		}
		compare.Earlier = earlier.Fields()
	}
	if compare.Allow, compare.Deny, err = data.Words(ctx, tx); err != nil {
		return err
	}
	res, err := s.Deid.Compare(ctx, compare)
	if err != nil {
		return asked(err)
	}
	level := res.GetRisk().GetLevel()
	if res.GetRisk() == nil || level > 3 {
		return fault.Internal(errors.New("deid answered without a risk"))
	}
	risk := biz.Risk{Level: int16(level), Sentence: res.GetRisk().GetSentence(), Factors: res.GetRisk().GetFactors()}
	c.Complete(risk.Level, res.GetPureRemoval() && len(compare.Earlier) > 0)
	return data.AddRendition(ctx, tx, key, *c, rendered, risk)
}
