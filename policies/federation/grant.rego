# METADATA
# scope: package
# title: Grants between organisations
# description: >-
#   The reader's gateway writes a grant for a reviewer towards an active member; the
#   owner's gateway exchanges it for a token. What the token opens is decided again
#   at every read.
# schemas:
#   - input: schema.input
package zijlicht.federation.grant

import data.zijlicht.federation.caller
import data.zijlicht.federation.sharing

peer_active if input.resource.state == "active"

permits if {
	input.action == "grant.mint"
	peer_active
}

permits if {
	input.action == "grant.exchange"
	sharing.trusted_to_read
	for_a_scope
}

for_a_scope if {
	input.resource.scope > ""
	input.resource.scope < "~"
}

visible if {
	input.action == "grant.mint"
	caller.person_at_home
}

visible if {
	input.action == "grant.exchange"
	input.subject.kind == "peer"
}

failed contains {"code": "peer.not_active", "rule": "zijlicht.federation.grant.peer_active", "args": {}} if {
	input.action == "grant.mint"
	not peer_active
}

failed contains {"code": "member.not_allowed", "rule": "zijlicht.federation.sharing.trusted_to_read", "args": {}} if {
	input.action == "grant.exchange"
	not sharing.trusted_to_read
}

failed contains {"code": "resource.unknown", "rule": "zijlicht.federation.grant.for_a_scope", "args": {}} if {
	input.action == "grant.exchange"
	not for_a_scope
}
