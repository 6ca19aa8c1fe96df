package authz

import casesv1 "github.com/zijlicht/zijlicht/proto/zijlicht/cases/v1"

// CaseResource gives the facts of a case as every rule about cases reads them, in
// whichever service they are asked for. A case that does not exist has only its kind
// and the id asked for; a fact that is not there, such as who released it, is left out.
func CaseResource(id string, f *casesv1.CaseFacts) Resource {
	if !f.GetFound() {
		return Resource{"kind": "case", "id": id}
	}
	r := Resource{
		"kind": "case", "id": f.GetId(), "owner_org": f.GetOwnerOrg(), "unit": f.GetUnit(), "author": f.GetAuthor(),
		"invited": f.GetInvited(), "status": f.GetStatus(),
		"closed_reason": f.GetClosedReason(), "audience": f.GetAudience(),
		"risk": int64(f.GetRisk()), "release_revision": int64(f.GetReleaseRevision()),
		"basis_revision": int64(f.GetBasisRevision()), "revision": int64(f.GetRevision()),
		"grant_state": f.GetGrantState(), "grant_from": f.GetGrantFrom(), "grant_until": f.GetGrantUntil(),
		"noticed": f.GetNoticed(),
	}
	for name, v := range map[string]string{
		"second_reader": f.GetSecondReader(), "circle": f.GetCircle(), "released_by": f.GetReleasedBy(),
		"grant_purpose": f.GetGrantPurpose(), "grant_circle": f.GetGrantCircle(),
	} {
		if v != "" {
			r[name] = v
		}
	}
	if f.GetGrantRevision() != 0 {
		r["grant_revision"] = int64(f.GetGrantRevision())
	}
	return r
}
