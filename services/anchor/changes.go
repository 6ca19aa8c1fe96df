package anchor

import (
	"context"
	"crypto"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/jackc/pgx/v5"

	"github.com/zijlicht/zijlicht/services/anchor/internal/biz"
	"github.com/zijlicht/zijlicht/services/anchor/internal/data"
	"github.com/zijlicht/zijlicht/services/platform/members"
	"github.com/zijlicht/zijlicht/services/platform/pgdb"
)

// Paths of a node, used when nothing else is said at admission.
const (
	tokenPath      = "/oauth2/token"
	federationPath = "/federation/v1"
)

// NewOrganisation is what is known of an organisation at its admission.
type NewOrganisation struct {
	// ID is the entity URL.
	ID   string
	Name string
	Kind members.Kind
	// Keys are the node's public keys.
	Keys jose.JSONWebKeySet
	// TrustMarks; nil means those of its kind.
	TrustMarks []string
	// TokenEndpoint and FederationBase; empty means the usual paths at ID.
	TokenEndpoint, FederationBase string
}

// AddOrganisation admits an organisation; it is active at once.
func (s *Store) AddOrganisation(ctx context.Context, actor string, n NewOrganisation) (Change, error) {
	if members.CheckEntityURL(n.ID) != nil {
		return Change{}, &Refusal{Code: "organisation.id", Subject: n.ID}
	}
	if members.CheckName(n.Name) != nil {
		return Change{}, &Refusal{Code: "name.invalid", Subject: n.Name}
	}
	if !slices.Contains(biz.Kinds, string(n.Kind)) {
		return Change{}, &Refusal{Code: "organisation.kind", Subject: string(n.Kind)}
	}
	keys, err := toKeys(n.ID, n.Keys)
	if err != nil {
		return Change{}, err
	}
	o := biz.Organisation{
		ID: n.ID, Name: n.Name, Kind: string(n.Kind), State: biz.Active, Keys: keys, Marks: n.TrustMarks,
		TokenEndpoint: n.TokenEndpoint, FederationBase: n.FederationBase,
	}
	if o.Marks == nil {
		o.Marks = biz.DefaultMarks(o.Kind)
	}
	o.Marks = slices.Compact(slices.Sorted(slices.Values(o.Marks)))
	for _, m := range o.Marks {
		if err := o.MayHold(m); err != nil {
			return Change{}, err
		}
	}
	if o.TokenEndpoint == "" {
		o.TokenEndpoint = o.ID + tokenPath
	}
	if o.FederationBase == "" {
		o.FederationBase = o.ID + federationPath
	}
	for _, endpoint := range []string{o.TokenEndpoint, o.FederationBase} {
		if members.CheckURL(endpoint) != nil || !strings.HasPrefix(endpoint, o.ID+"/") || strings.HasSuffix(endpoint, "/") {
			return Change{}, &Refusal{Code: "organisation.endpoint", Subject: endpoint}
		}
	}
	return s.change(ctx, actor, "organisation.add", o.ID, func(tx pgx.Tx) (map[string]any, error) {
		switch have, err := data.Organisation(ctx, tx, o.ID); {
		case err == nil && have.State == biz.Removed:
			return nil, &Refusal{Code: "organisation.removed", Subject: o.ID}
		case err == nil:
			return nil, &Refusal{Code: "organisation.exists", Subject: o.ID}
		case !errors.Is(err, data.ErrNotFound):
			return nil, err
		}
		if err := data.AddOrganisation(ctx, tx, o, s.now()); err != nil {
			return nil, keyTaken(o.ID, err)
		}
		return map[string]any{"name": o.Name, "kind": o.Kind, "marks": o.Marks, "kids": kids(o.Keys)}, nil
	})
}

// SuspendOrganisation puts an organisation on hold: it can do nothing at other nodes until it is resumed.
func (s *Store) SuspendOrganisation(ctx context.Context, actor, id string) (Change, error) {
	return s.organisationStep(ctx, actor, id, biz.Suspend)
}

// ResumeOrganisation ends a suspension.
func (s *Store) ResumeOrganisation(ctx context.Context, actor, id string) (Change, error) {
	return s.organisationStep(ctx, actor, id, biz.Resume)
}

// RemoveOrganisation takes a suspended organisation out for good: its keys, marks and places in circles go. Its entity
// URL stays known as removed and cannot be admitted again.
func (s *Store) RemoveOrganisation(ctx context.Context, actor, id string) (Change, error) {
	return s.organisationStep(ctx, actor, id, biz.Remove)
}

func (s *Store) organisationStep(ctx context.Context, actor, id string, step biz.Step) (Change, error) {
	return s.change(ctx, actor, "organisation."+string(step), id, func(tx pgx.Tx) (map[string]any, error) {
		o, err := organisation(ctx, tx, id)
		if err != nil {
			return nil, err
		}
		next, err := o.Next(step)
		if err != nil || next == o.State {
			return nil, err
		}
		if err := data.SetOrganisationState(ctx, tx, id, next); err != nil {
			return nil, err
		}
		details := map[string]any{"from": o.State, "to": next}
		if next == biz.Removed {
			circles, err := data.StripOrganisation(ctx, tx, id)
			if err != nil {
				return nil, err
			}
			details["circles"], details["marks"], details["kids"] = circles, o.Marks, kids(o.Keys)
		}
		return details, nil
	})
}

// ReplaceKeys puts these keys in the place of an organisation's others. To rotate without a gap, publish the old and
// the new key together first.
func (s *Store) ReplaceKeys(ctx context.Context, actor, id string, set jose.JSONWebKeySet) (Change, error) {
	keys, err := toKeys(id, set)
	if err != nil {
		return Change{}, err
	}
	return s.change(ctx, actor, "organisation.keys", id, func(tx pgx.Tx) (map[string]any, error) {
		o, err := organisation(ctx, tx, id)
		if err != nil {
			return nil, err
		}
		if err := o.MayChange(); err != nil {
			return nil, err
		}
		if slices.Equal(fingerprint(o.Keys), fingerprint(keys)) {
			return nil, nil
		}
		if err := data.ReplaceKeys(ctx, tx, id, keys); err != nil {
			return nil, keyTaken(id, err)
		}
		return map[string]any{"from": kids(o.Keys), "to": kids(keys)}, nil
	})
}

// GrantMark gives an organisation a trust mark.
func (s *Store) GrantMark(ctx context.Context, actor, id, mark string) (Change, error) {
	return s.change(ctx, actor, "mark.grant", id, func(tx pgx.Tx) (map[string]any, error) {
		o, err := organisation(ctx, tx, id)
		if err != nil {
			return nil, err
		}
		if err := o.MayHold(mark); err != nil || slices.Contains(o.Marks, mark) {
			return nil, err
		}
		return map[string]any{"mark": mark}, data.GrantMark(ctx, tx, id, mark, s.now())
	})
}

// RevokeMark takes a trust mark back.
func (s *Store) RevokeMark(ctx context.Context, actor, id, mark string) (Change, error) {
	return s.change(ctx, actor, "mark.revoke", id, func(tx pgx.Tx) (map[string]any, error) {
		o, err := organisation(ctx, tx, id)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(biz.Marks, mark) {
			return nil, &Refusal{Code: "mark.unknown", Subject: mark}
		}
		if !slices.Contains(o.Marks, mark) {
			return nil, nil
		}
		return map[string]any{"mark": mark}, data.RevokeMark(ctx, tx, id, mark)
	})
}

// NewCircle is a circle to be.
type NewCircle struct {
	ID, Name string
	// ValidUntil is when it ends by itself; zero means it has no end.
	ValidUntil time.Time
}

// AddCircle makes a circle without members.
func (s *Store) AddCircle(ctx context.Context, actor string, n NewCircle) (Change, error) {
	now := s.now()
	switch {
	case members.CheckCode(n.ID) != nil:
		return Change{}, &Refusal{Code: "circle.id", Subject: n.ID}
	case members.CheckName(n.Name) != nil:
		return Change{}, &Refusal{Code: "name.invalid", Subject: n.Name}
	case !n.ValidUntil.IsZero() && !now.Before(n.ValidUntil):
		return Change{}, &Refusal{Code: "circle.past", Subject: n.ID}
	}
	return s.change(ctx, actor, "circle.add", n.ID, func(tx pgx.Tx) (map[string]any, error) {
		switch _, err := data.Circle(ctx, tx, n.ID); {
		case err == nil:
			return nil, &Refusal{Code: "circle.exists", Subject: n.ID}
		case !errors.Is(err, data.ErrNotFound):
			return nil, err
		}
		c := biz.Circle{ID: n.ID, Name: n.Name, State: biz.Active, ValidUntil: n.ValidUntil.Truncate(time.Second)}
		details := map[string]any{"name": n.Name}
		if !n.ValidUntil.IsZero() {
			details["valid_until"] = c.ValidUntil.UTC()
		}
		return details, data.AddCircle(ctx, tx, c, now)
	})
}

// PauseCircle holds all sharing in a circle; ResumeCircle lets it go on; EndCircle ends it for good.
func (s *Store) PauseCircle(ctx context.Context, actor, id string) (Change, error) {
	return s.circleStep(ctx, actor, id, biz.Pause)
}

// ResumeCircle ends a pause.
func (s *Store) ResumeCircle(ctx context.Context, actor, id string) (Change, error) {
	return s.circleStep(ctx, actor, id, biz.Resume)
}

// EndCircle ends a circle for good.
func (s *Store) EndCircle(ctx context.Context, actor, id string) (Change, error) {
	return s.circleStep(ctx, actor, id, biz.End)
}

func (s *Store) circleStep(ctx context.Context, actor, id string, step biz.Step) (Change, error) {
	return s.change(ctx, actor, "circle."+string(step), id, func(tx pgx.Tx) (map[string]any, error) {
		c, err := circle(ctx, tx, id)
		if err != nil {
			return nil, err
		}
		next, err := c.Next(step, s.now())
		if err != nil || next == c.State {
			return nil, err
		}
		return map[string]any{"from": c.State, "to": next}, data.SetCircleState(ctx, tx, id, next)
	})
}

// JoinCircle puts an organisation in a circle.
func (s *Store) JoinCircle(ctx context.Context, actor, id, org string) (Change, error) {
	return s.change(ctx, actor, "circle.join", id, func(tx pgx.Tx) (map[string]any, error) {
		c, err := circle(ctx, tx, id)
		if err != nil {
			return nil, err
		}
		o, err := organisation(ctx, tx, org)
		if err != nil {
			return nil, err
		}
		if joins, err := c.Join(o, s.now()); err != nil || !joins {
			return nil, err
		}
		return map[string]any{"organisation": org}, data.Join(ctx, tx, id, org, s.now())
	})
}

// LeaveCircle takes an organisation out of a circle.
func (s *Store) LeaveCircle(ctx context.Context, actor, id, org string) (Change, error) {
	return s.change(ctx, actor, "circle.leave", id, func(tx pgx.Tx) (map[string]any, error) {
		c, err := circle(ctx, tx, id)
		if err != nil {
			return nil, err
		}
		if _, err := organisation(ctx, tx, org); err != nil {
			return nil, err
		}
		if leaves, err := c.Leave(org, s.now()); err != nil || !leaves {
			return nil, err
		}
		return map[string]any{"organisation": org}, data.Leave(ctx, tx, id, org)
	})
}

func organisation(ctx context.Context, tx pgx.Tx, id string) (biz.Organisation, error) {
	o, err := data.Organisation(ctx, tx, id)
	if errors.Is(err, data.ErrNotFound) {
		return o, &Refusal{Code: "organisation.unknown", Subject: id}
	}
	return o, err
}

func circle(ctx context.Context, tx pgx.Tx, id string) (biz.Circle, error) {
	c, err := data.Circle(ctx, tx, id)
	if errors.Is(err, data.ErrNotFound) {
		return c, &Refusal{Code: "circle.unknown", Subject: id}
	}
	return c, err
}

// toKeys keeps of each key what is published and no more.
func toKeys(org string, set jose.JSONWebKeySet) ([]biz.Key, error) {
	if err := members.CheckKeys(set); errors.Is(err, members.ErrPrivateKey) {
		return nil, &Refusal{Code: "keys.private", Subject: org}
	} else if err != nil {
		return nil, &Refusal{Code: "keys.invalid", Subject: org}
	}
	keys := make([]biz.Key, 0, len(set.Keys))
	for _, k := range set.Keys {
		sum, err := k.Thumbprint(crypto.SHA256)
		if err != nil {
			return nil, err
		}
		raw, err := json.Marshal(jose.JSONWebKey{Key: k.Key, KeyID: k.KeyID, Algorithm: string(jose.ES256), Use: "sig"})
		if err != nil {
			return nil, err
		}
		keys = append(keys, biz.Key{Thumbprint: base64.RawURLEncoding.EncodeToString(sum), KID: k.KeyID, JWK: raw})
	}
	return keys, nil
}

func keyTaken(org string, err error) error {
	if pgdb.IsUnique(err, "organisation_key_pkey") {
		return &Refusal{Code: "keys.taken", Subject: org}
	}
	return err
}

func kids(keys []biz.Key) []string {
	list := make([]string, 0, len(keys))
	for _, k := range keys {
		list = append(list, k.KID)
	}
	return list
}

// fingerprint is the same for the same keys under the same kids, in any order.
func fingerprint(keys []biz.Key) []string {
	list := make([]string, 0, len(keys))
	for _, k := range keys {
		list = append(list, k.Thumbprint+" "+k.KID)
	}
	slices.Sort(list)
	return list
}
