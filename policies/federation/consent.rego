# METADATA
# scope: package
# title: The resident's yes
# description: >-
#   Nothing leaves the organisation without a yes that holds now, for this purpose,
#   this circle and this text. A receipt code is all a resident needs to see or
#   withdraw it.
# schemas:
#   - input: schema.input
package zijlicht.federation.consent

import data.zijlicht.federation.caller
import data.zijlicht.federation.sharing

given if input.resource.grant_state == "granted"

for_this_purpose if input.resource.grant_purpose == "learning-in-circle"

for_this_circle if input.resource.grant_circle == input.resource.circle

for_this_text if {
	input.resource.basis_revision >= 1
	input.resource.basis_revision <= 2147483647
	input.resource.grant_revision == input.resource.basis_revision
}

# The outer bounds keep out what is not a time: an empty text, a null.
thought_over if {
	input.resource.grant_from >= "2000-01-01T00:00:00.000000Z"
	input.resource.grant_from <= input.context.time
}

not_over if {
	input.resource.grant_until > input.context.time
	input.resource.grant_until < "~"
	input.context.time >= "2000-01-01T00:00:00.000000Z"
}

in_force if {
	given
	for_this_purpose
	for_this_circle
	for_this_text
	thought_over
	not_over
}

permits if {
	input.action == "consent.register"
	sharing.own_case
	sharing.author
	sharing.right_step
}

permits if {
	input.action == "consent.list"
	sharing.own_case
	sharing.responsible
}

permits if {
	input.action in {"consent.read-receipt", "consent.withdraw"}
	input.resource.found == true
}

visible if {
	input.action == "consent.list"
	caller.person_at_home
	sharing.own_case
	sharing.responsible
}

visible if {
	input.action in {"consent.read-receipt", "consent.withdraw"}
	input.resource.found == true
}

failed contains {"code": "resource.unknown", "rule": "zijlicht.federation.consent.permits", "args": {}} if {
	input.action in {"consent.read-receipt", "consent.withdraw"}
	not input.resource.found == true
}

failed contains {"code": "case.not_yours", "rule": "zijlicht.federation.sharing.responsible", "args": {}} if {
	input.action == "consent.list"
	not sharing.responsible
}

failed contains {"code": "consent.withdrawn", "rule": "zijlicht.federation.consent.given", "args": {}} if {
	sharing.goes_outside
	input.resource.grant_state == "withdrawn"
}

failed contains {"code": "consent.withdrawn", "rule": "zijlicht.federation.sharing.right_step", "args": {}} if {
	input.action == "consent.register"
	input.resource.grant_state == "withdrawn"
}

failed contains {"code": "consent.expired", "rule": "zijlicht.federation.consent.given", "args": {"date": until}} if {
	sharing.goes_outside
	input.resource.grant_state == "expired"
}

failed contains {"code": "consent.expired", "rule": "zijlicht.federation.consent.not_over", "args": {"date": until}} if {
	sharing.goes_outside
	given
	not not_over
}

failed contains {"code": "consent.absent", "rule": "zijlicht.federation.consent.given", "args": {}} if {
	sharing.goes_outside
	object.get(input.resource, "grant_state", "absent") == "absent"
}

failed contains {"code": "consent.absent", "rule": "zijlicht.federation.consent.for_this_circle", "args": {}} if {
	sharing.goes_outside
	given
	not for_this_circle
}

# Any other state says who has not said yes yet.
failed contains {"code": "consent.signer_missing", "rule": "zijlicht.federation.consent.given", "args": {}} if {
	sharing.goes_outside
	not object.get(input.resource, "grant_state", "absent") in {"absent", "expired", "granted", "withdrawn"}
}

failed contains {"code": "consent.text_changed", "rule": "zijlicht.federation.consent.for_this_text", "args": {}} if {
	sharing.goes_outside
	given
	not for_this_text
}

failed contains {"code": "consent.thinking_time", "rule": "zijlicht.federation.consent.thought_over", "args": {}} if {
	sharing.goes_outside
	given
	not thought_over
}

failed contains {"code": "purpose.not_agreed", "rule": "zijlicht.federation.consent.for_this_purpose", "args": {"purpose": purpose}} if {
	sharing.goes_outside
	given
	not for_this_purpose
	purpose := object.get(input.resource, "grant_purpose", "")
}

until := substring(object.get(input.resource, "grant_until", ""), 0, 10)
