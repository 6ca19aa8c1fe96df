# METADATA
# scope: package
# title: Notices and the dialogue about a case
# description: >-
#   The reader's side keeps notices; both sides keep the dialogue, that is open to
#   the one who writes it and to the author it is written to.
# schemas:
#   - input: schema.input
package zijlicht.federation.review

import data.zijlicht.federation.caller
import data.zijlicht.federation.sharing

# --- notices -------------------------------------------------------------

kept_here if input.resource.node_org == input.context.node

of_our_circle if input.resource.circle in input.subject.circles

open if input.resource.state == "open"

from_its_owner if input.resource.owner_org == input.subject.org

permits if {
	input.action in {"notice.list", "notice.open", "review.start"}
	kept_here
	of_our_circle
	open
}

permits if {
	input.action == "notice.receive"
	from_its_owner
	open
	of_our_circle
	caller.active
}

# That a case is closed may always be said, by its owner.
permits if {
	input.action == "notice.receive"
	from_its_owner
	input.resource.state == "closed"
}

# --- the dialogue --------------------------------------------------------

party if {
	input.resource.side == "reader"
	input.resource.writer == input.subject.id
}

party if {
	input.resource.side == "owner"
	input.resource.case_author == input.subject.id
}

# A reader keeps a closed dialogue for as long as its draft is kept.
readable if open

readable if {
	input.resource.side == "owner"
	input.resource.state == "closed"
}

readable if {
	input.resource.side == "reader"
	input.resource.state == "closed"
	input.context.time >= "2000-01-01T00:00:00.000000Z"
	input.resource.draft_until > input.context.time
	input.resource.draft_until < "~"
}

permits if {
	input.action in {"review.list", "review.read"}
	kept_here
	party
	readable
}

permits if {
	input.action in {"review.draft", "review.submit"}
	kept_here
	party
	open
}

# --- messages between organisations --------------------------------------

# A first message makes the dialogue: then peer_org is the caller's own.
with_this_peer if input.resource.peer_org == input.subject.org

# The owner's side takes in what a reader of its case writes.
permits if {
	input.action == "review.receive"
	input.resource.kind == "case"
	sharing.open_to_peer
	with_this_peer
}

answered if {
	input.resource.side == "reader"
	input.resource.peer == input.subject.org
}

# The reader's side takes in what the case's owner answers.
permits if {
	input.action == "review.receive"
	input.resource.kind == "review"
	answered
	open
}

# What was taken in before is acknowledged again, whatever happened since: the
# acknowledgement may have been lost, and it tells the sender nothing new.
taken_in_before if {
	input.resource.found == true
	with_this_peer
}

permits if {
	input.action == "review.receive"
	input.resource.kind == "message"
	taken_in_before
}

permits if input.action in {"review.deliver", "review.mark-delivery"}

# --- who may know that it exists -----------------------------------------

visible if {
	input.action in {"notice.list", "review.list"}
	caller.lists
}

visible if {
	about_notice
	caller.person_at_home
	"reviewer" in input.subject.roles
	kept_here
}

visible if {
	about_dialogue
	caller.person_at_home
	kept_here
	party
}

visible if {
	input.action == "review.receive"
	input.resource.kind == "review"
	answered
}

visible if {
	input.action == "notice.receive"
	input.subject.kind == "peer"
}

visible if {
	input.action in {"review.deliver", "review.mark-delivery"}
	caller.at_home
}

# --- why not -------------------------------------------------------------

failed contains {"code": "resource.unknown", "rule": "zijlicht.federation.review.taken_in_before", "args": {}} if {
	input.action == "review.receive"
	input.resource.kind == "message"
	not taken_in_before
}

about_notice if input.action in {"notice.list", "notice.open", "review.start"}

about_dialogue if input.action in {"review.draft", "review.list", "review.read", "review.submit"}

answer if {
	input.action == "review.receive"
	input.resource.kind == "review"
}

failed contains {"code": "resource.unknown", "rule": "zijlicht.federation.review.kept_here", "args": {}} if {
	about_notice
	not kept_here
}

failed contains {"code": "resource.unknown", "rule": "zijlicht.federation.review.kept_here", "args": {}} if {
	about_dialogue
	not kept_here
}

failed contains {"code": "circle.no_agreement", "rule": "zijlicht.federation.review.of_our_circle", "args": {"circle": circle}} if {
	about_notice
	not of_our_circle
	circle := object.get(input.resource, "circle", "")
}

failed contains {"code": "case.closed", "rule": "zijlicht.federation.review.open", "args": {}} if {
	about_notice
	not open
}

failed contains {"code": "review.other_organisation", "rule": "zijlicht.federation.review.from_its_owner", "args": {}} if {
	input.action == "notice.receive"
	not from_its_owner
}

failed contains {"code": "case.closed", "rule": "zijlicht.federation.review.open", "args": {}} if {
	input.action == "notice.receive"
	not object.get(input.resource, "state", "") in {"closed", "open"}
}

failed contains {"code": "circle.no_agreement", "rule": "zijlicht.federation.review.of_our_circle", "args": {"circle": circle}} if {
	input.action == "notice.receive"
	open
	not of_our_circle
	circle := object.get(input.resource, "circle", "")
}

failed contains {"code": "member.suspended", "rule": "zijlicht.federation.caller.active", "args": {}} if {
	input.action == "notice.receive"
	open
	not caller.active
}

failed contains {"code": "review.not_yours", "rule": "zijlicht.federation.review.party", "args": {}} if {
	about_dialogue
	not party
}

failed contains {"code": "case.closed", "rule": "zijlicht.federation.review.readable", "args": {}} if {
	input.action in {"review.list", "review.read"}
	not readable
}

failed contains {"code": "case.closed", "rule": "zijlicht.federation.review.open", "args": {}} if {
	input.action in {"review.draft", "review.submit"}
	not open
}

failed contains {"code": "review.other_organisation", "rule": "zijlicht.federation.review.with_this_peer", "args": {}} if {
	sharing.outside
	input.action == "review.receive"
	not with_this_peer
}

failed contains {"code": "review.other_organisation", "rule": "zijlicht.federation.review.answered", "args": {}} if {
	answer
	not answered
}

failed contains {"code": "case.closed", "rule": "zijlicht.federation.review.open", "args": {}} if {
	answer
	not open
}
