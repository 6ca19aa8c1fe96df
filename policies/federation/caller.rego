# METADATA
# scope: package
# title: The caller
# description: >-
#   Per action: what sort of caller, which role, on what kind of resource, and
#   whether the caller's organisation must be an active member. An action that is
#   not in the table is refused. A suspended member keeps its own cases, and can
#   still stop, remove and close.
# schemas:
#   - input: schema.input
package zijlicht.federation.caller

calls := {
	"case.create": {"callers": {"person"}, "kinds": {"case"}, "role": "professional", "active": true},
	"case.list": {"callers": {"person"}, "kinds": {"case"}, "role": "none", "active": false},
	"case.read": {"callers": {"person"}, "kinds": {"case"}, "role": "none", "active": false},
	"case.edit": {"callers": {"person"}, "kinds": {"case"}, "role": "none", "active": false},
	"case.propose": {"callers": {"person"}, "kinds": {"case"}, "role": "none", "active": false},
	"case.resolve": {"callers": {"person"}, "kinds": {"case"}, "role": "none", "active": false},
	"case.invite": {"callers": {"person"}, "kinds": {"case"}, "role": "none", "active": false},
	"case.release": {"callers": {"person"}, "kinds": {"case"}, "role": "professional", "active": false},
	"case.publish": {"callers": {"person"}, "kinds": {"case"}, "role": "none", "active": true},
	"case.stop": {"callers": {"person"}, "kinds": {"case"}, "role": "none", "active": false},
	"case.remove": {"callers": {"person"}, "kinds": {"case"}, "role": "none", "active": false},
	"case.read-shared": {"callers": {"peer"}, "kinds": {"case"}, "role": "reviewer", "active": true},
	"case.close-lapsed": {"callers": {"worker"}, "kinds": {"case"}, "role": "none", "active": false},
	"consent.register": {"callers": {"person"}, "kinds": {"case"}, "role": "none", "active": false},
	"consent.list": {"callers": {"person"}, "kinds": {"case"}, "role": "none", "active": false},
	"consent.read-receipt": {"callers": {"receipt"}, "kinds": {"receipt"}, "role": "none", "active": false},
	"consent.withdraw": {"callers": {"receipt"}, "kinds": {"receipt"}, "role": "none", "active": false},
	"notice.list": {"callers": {"person"}, "kinds": {"notice"}, "role": "reviewer", "active": true},
	"notice.open": {"callers": {"person"}, "kinds": {"notice"}, "role": "reviewer", "active": true},
	"notice.receive": {"callers": {"peer"}, "kinds": {"notice"}, "role": "notifier", "active": false},
	"review.start": {"callers": {"person"}, "kinds": {"notice"}, "role": "reviewer", "active": true},
	"review.list": {"callers": {"person"}, "kinds": {"review"}, "role": "none", "active": false},
	"review.read": {"callers": {"person"}, "kinds": {"review"}, "role": "none", "active": false},
	"review.draft": {"callers": {"person"}, "kinds": {"review"}, "role": "none", "active": false},
	"review.submit": {"callers": {"person"}, "kinds": {"review"}, "role": "none", "active": true},
	"review.receive": {"callers": {"peer"}, "kinds": {"case", "message", "review"}, "role": "none", "active": true},
	"review.deliver": {"callers": {"worker"}, "kinds": {"message", "review"}, "role": "none", "active": false},
	"review.mark-delivery": {"callers": {"worker"}, "kinds": {"message", "review"}, "role": "none", "active": false},
	"decision.list": {"callers": {"person"}, "kinds": {"decision"}, "role": "privacy-officer", "active": false},
	"decision.read": {"callers": {"person"}, "kinds": {"decision"}, "role": "privacy-officer", "active": false},
	"session.read": {"callers": {"person"}, "kinds": {"account"}, "role": "none", "active": false},
	"colleague.list": {"callers": {"person"}, "kinds": {"account"}, "role": "none", "active": false},
	"circle.list": {"callers": {"machine", "person"}, "kinds": {"circle"}, "role": "none", "active": false},
	"grant.mint": {"callers": {"person"}, "kinds": {"peer"}, "role": "reviewer", "active": true},
}

call := calls[input.action]

fits if {
	right_caller
	identified
	right_organisation
	right_role
	in_good_standing
	right_kind
}

right_caller if input.subject.kind in call.callers

# An empty id would equal an empty author.
identified if {
	is_string(input.subject.id)
	input.subject.id != ""
}

at_home if {
	is_string(input.subject.org)
	input.subject.org != ""
	input.subject.org == input.context.node
}

right_organisation if {
	input.subject.kind in {"machine", "person", "worker"}
	at_home
}

right_organisation if {
	input.subject.kind == "peer"
	is_string(input.subject.org)
	input.subject.org != ""
	is_string(input.context.node)
	input.context.node != ""
	input.subject.org != input.context.node
}

# Who holds a receipt code belongs to no organisation.
right_organisation if input.subject.kind == "receipt"

right_role if call.role == "none"

right_role if call.role in input.subject.roles

active if input.subject.org_state == "active"

in_good_standing if call.active == false

in_good_standing if active

right_kind if input.resource.kind in call.kinds

person_at_home if {
	input.subject.kind == "person"
	identified
	at_home
}

# A question for a list is not a question whether one thing exists.
lists if {
	person_at_home
	endswith(input.action, ".list")
}

failed contains {"code": "action.unknown", "rule": "zijlicht.federation.caller.call", "args": {}} if not call

failed contains {"code": "caller.not_allowed", "rule": "zijlicht.federation.caller.right_caller", "args": {}} if {
	call
	not right_caller
}

failed contains {"code": "caller.not_allowed", "rule": "zijlicht.federation.caller.identified", "args": {}} if {
	call
	not identified
}

failed contains {"code": "caller.other_organisation", "rule": "zijlicht.federation.caller.right_organisation", "args": {}} if {
	call
	not right_organisation
}

failed contains {"code": "role.missing", "rule": "zijlicht.federation.caller.right_role", "args": {"role": call.role}} if {
	not right_role
}

failed contains {"code": "member.suspended", "rule": "zijlicht.federation.caller.in_good_standing", "args": {}} if {
	call
	not in_good_standing
}

failed contains {"code": "resource.unknown", "rule": "zijlicht.federation.caller.right_kind", "args": {}} if {
	call
	not right_kind
}
