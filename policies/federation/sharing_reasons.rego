# Why a case is not open. Nothing here opens or closes anything, so it may use not.
package zijlicht.federation.sharing

case_of_ours if input.action in {
	"case.edit",
	"case.invite",
	"case.list",
	"case.propose",
	"case.publish",
	"case.read",
	"case.release",
	"case.remove",
	"case.resolve",
	"case.stop",
	"consent.list",
	"consent.register",
}

only_author if input.action in {
	"case.edit",
	"case.invite",
	"case.propose",
	"case.publish",
	"case.remove",
	"case.resolve",
	"consent.register",
}

outside if {
	input.action in {"case.read-shared", "review.receive"}
	input.resource.kind == "case"
}

failed contains {"code": "resource.unknown", "rule": "zijlicht.federation.sharing.own_case", "args": {}} if {
	case_of_ours
	not input.resource.owner_org
}

failed contains {"code": "caller.other_organisation", "rule": "zijlicht.federation.sharing.own_case", "args": {}} if {
	case_of_ours
	input.resource.owner_org
	not own_case
}

failed contains {"code": "caller.other_organisation", "rule": "zijlicht.federation.sharing.own_case", "args": {}} if {
	input.action == "case.create"
	not own_case
}

failed contains {"code": "case.other_unit", "rule": "zijlicht.federation.sharing.same_unit", "args": {}} if {
	input.action == "case.create"
	not same_unit
}

failed contains {"code": "case.not_open", "rule": "zijlicht.federation.sharing.openable", "args": {}} if {
	input.action in {"case.list", "case.read"}
	not openable
}

failed contains {"code": "case.not_yours", "rule": "zijlicht.federation.sharing.author", "args": {}} if {
	only_author
	not author
}

failed contains {"code": "case.not_yours", "rule": "zijlicht.federation.sharing.responsible", "args": {}} if {
	input.action in {"case.stop", "consent.list"}
	not responsible
}

failed contains {"code": "release.second_reader", "rule": "zijlicht.federation.sharing.not_author", "args": {}} if {
	input.action == "case.release"
	not not_author
}

failed contains {"code": "release.not_asked", "rule": "zijlicht.federation.sharing.second_reader", "args": {}} if {
	input.action == "case.release"
	not_author
	not second_reader
}

failed contains {"code": "case.removed", "rule": "zijlicht.federation.sharing.kept", "args": {}} if {
	input.action in {"case.list", "case.read", "case.remove"}
	input.resource.closed_reason == "removed"
}

failed contains {"code": "resource.unknown", "rule": "zijlicht.federation.sharing.kept", "args": {}} if {
	input.action in {"case.list", "case.read", "case.remove"}
	not kept
	not input.resource.closed_reason == "removed"
}

# An unknown case has no status: outside, that is all there is to say about it.
failed contains {"code": "resource.unknown", "rule": "zijlicht.federation.sharing.right_step", "args": {}} if {
	takes_steps
	not input.resource.status
}

failed contains {"code": code, "rule": "zijlicht.federation.sharing.right_step", "args": {}} if {
	takes_steps
	not right_step
	input.resource.status == "closed"
	code := object.get(closed_codes, object.get(input.resource, "closed_reason", "stopped"), "case.stopped")
}

failed contains {"code": "case.paused", "rule": "zijlicht.federation.sharing.right_step", "args": {}} if {
	takes_steps
	not right_step
	input.resource.status == "paused"
}

failed contains {"code": "case.not_published", "rule": "zijlicht.federation.sharing.right_step", "args": {}} if {
	outside
	input.resource.status in {"draft", "released"}
}

failed contains {"code": "case.wrong_step", "rule": "zijlicht.federation.sharing.right_step", "args": {}} if {
	takes_steps
	not outside
	not right_step
	not input.resource.status in {"closed", "paused"}
}

closed_codes := {
	"": "case.stopped",
	"expired": "consent.expired",
	"removed": "case.removed",
	"stopped": "case.stopped",
	"withdrawn": "consent.withdrawn",
}

takes_steps if input.action in {
	"case.edit",
	"case.invite",
	"case.propose",
	"case.publish",
	"case.release",
	"case.resolve",
	"case.stop",
	"consent.register",
}

takes_steps if outside

goes_outside if input.action == "case.publish"

goes_outside if outside

failed contains {"code": "circle.no_agreement", "rule": "zijlicht.federation.sharing.in_our_circle", "args": {"circle": circle}} if {
	goes_outside
	not in_our_circle
	circle := object.get(input.resource, "circle", "")
}

failed contains {"code": "caller.other_organisation", "rule": "zijlicht.federation.sharing.held_here", "args": {}} if {
	outside
	not held_here
}

failed contains {"code": "member.not_allowed", "rule": "zijlicht.federation.sharing.community_team", "args": {}} if {
	outside
	not community_team
}

failed contains {"code": "member.not_allowed", "rule": "zijlicht.federation.sharing.trusted_to_read", "args": {}} if {
	outside
	not trusted_to_read
}

failed contains {"code": "role.missing", "rule": "zijlicht.federation.sharing.reviewer", "args": {"role": "reviewer"}} if {
	outside
	not reviewer
}

failed contains {"code": "purpose.not_agreed", "rule": "zijlicht.federation.sharing.to_learn", "args": {"purpose": purpose}} if {
	outside
	not to_learn
	purpose := object.get(input, "purpose", "")
}

failed contains {"code": "case.not_published", "rule": "zijlicht.federation.sharing.to_the_circle", "args": {}} if {
	outside
	not to_the_circle
}
