package authz

import casesv1 "github.com/zijlicht/zijlicht/proto/zijlicht/cases/v1"

// CaseResource gives the facts of a case as every rule about cases reads them. A
// case that does not exist has only its kind and the id asked for.
func CaseResource(id string, f *casesv1.CaseFacts) Resource {
	if !f.GetFound() {
		return Resource{"kind": "case", "id": id}
	}
	return Resource{
		"kind": "case", "id": f.GetId(), "owner_org": f.GetOwnerOrg(), "unit": f.GetUnit(), "author": f.GetAuthor(),
		"second_reader": f.GetSecondReader(), "invited": f.GetInvited(), "status": f.GetStatus(),
		"closed_reason": f.GetClosedReason(), "audience": f.GetAudience(), "circle": f.GetCircle(),
		"risk": int64(f.GetRisk()), "released_by": f.GetReleasedBy(), "release_revision": int64(f.GetReleaseRevision()),
		"basis_revision": int64(f.GetBasisRevision()), "revision": int64(f.GetRevision()),
		"grant_state": f.GetGrantState(), "grant_revision": int64(f.GetGrantRevision()), "grant_purpose": f.GetGrantPurpose(),
		"grant_circle": f.GetGrantCircle(), "grant_from": f.GetGrantFrom(), "grant_until": f.GetGrantUntil(),
		"noticed": f.GetNoticed(),
	}
}
