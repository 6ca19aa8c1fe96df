# METADATA
# scope: package
# title: Grants between organisations
# description: >-
#   The reader's gateway writes a grant for a reviewer towards an active member. The
#   owner's gateway exchanges it for a token when the anchor vouches for the member;
#   what the token opens is decided again at every read.
# schemas:
#   - input: schema.input
package zijlicht.federation.grant

import data.zijlicht.federation.caller

peer_active if input.resource.state == "active"

permits if {
	input.action == "grant.mint"
	peer_active
}

visible if {
	input.action == "grant.mint"
	caller.person_at_home
}

failed contains {"code": "peer.not_active", "rule": "zijlicht.federation.grant.peer_active", "args": {}} if {
	input.action == "grant.mint"
	not peer_active
}
