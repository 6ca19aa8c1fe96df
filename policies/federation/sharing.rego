# METADATA
# scope: package
# title: Cases, within the organisation and to a circle
# description: >-
#   A draft is open to its author and those they invite, and to nobody because of
#   a role or because they work at the same organisation. Outside it, a published
#   case is open to the circle that the resident said yes to.
# schemas:
#   - input: schema.input
package zijlicht.federation.sharing

import data.zijlicht.federation.caller
import data.zijlicht.federation.consent
import data.zijlicht.federation.privacy

# --- who -----------------------------------------------------------------

own_case if input.resource.owner_org == input.subject.org

author if input.resource.author == input.subject.id

# The bounds: see privacy.released_by_another.
not_author if {
	input.resource.author > ""
	input.resource.author < "~"
	input.resource.author != input.subject.id
}

second_reader if input.resource.second_reader == input.subject.id

same_unit if {
	is_string(input.subject.unit)
	input.subject.unit != ""
	input.resource.unit == input.subject.unit
}

team if {
	"professional" in input.subject.roles
	same_unit
	input.resource.status in {"released", "published", "paused", "closed"}
}

openable if author

openable if second_reader

openable if input.resource.invited == true

openable if team

responsible if author

responsible if second_reader

responsible if "privacy-officer" in input.subject.roles

# --- in which state ------------------------------------------------------

kept if input.resource.closed_reason in {"", "withdrawn", "expired", "stopped"}

changeable if input.resource.status in {"draft", "released", "published"}

stoppable if input.resource.status in {"released", "published", "paused"}

# Changed after it was shared: nobody outside can read it, and some were told of it.
stoppable if {
	input.resource.status == "draft"
	input.resource.noticed == true
}

# Its time was over. With a new yes it can be shared again; after a withdrawal it cannot.
renewable if {
	input.resource.status == "closed"
	input.resource.closed_reason == "expired"
}

right_step if {
	input.action in {"case.edit", "case.propose", "case.resolve", "case.invite"}
	changeable
}

# Who stopped is not asked again: a yes after a withdrawal does not undo it, also not
# in the moment before the case is closed.
not_stopped if input.resource.grant_state in {"absent", "expired", "granted"}

right_step if {
	input.action == "consent.register"
	changeable
	not_stopped
}

right_step if {
	input.action == "consent.register"
	renewable
	not_stopped
}

right_step if {
	input.action == "case.publish"
	renewable
}

right_step if {
	input.action == "case.release"
	input.resource.status == "draft"
}

right_step if {
	input.action == "case.publish"
	input.resource.status in {"released", "published"} # publishing twice is the same as once
}

right_step if {
	input.action == "case.stop"
	stoppable
}

right_step if {
	input.action in {"case.read-shared", "review.receive"}
	input.resource.status == "published"
}

# --- what is permitted ---------------------------------------------------

permits if {
	input.action == "case.create"
	own_case
	same_unit
}

permits if {
	input.action in {"case.list", "case.read"}
	own_case
	kept
	openable
}

permits if {
	input.action in {"case.edit", "case.propose", "case.resolve", "case.invite"}
	own_case
	author
	right_step
}

permits if {
	input.action == "case.release"
	own_case
	not_author
	second_reader
	right_step
	privacy.releasable
}

permits if {
	input.action == "case.publish"
	own_case
	author
	right_step
	in_our_circle
	consent.in_force
	privacy.released
	privacy.hard_to_recognise
}

permits if {
	input.action == "case.stop"
	own_case
	responsible
	right_step
}

permits if {
	input.action == "case.remove"
	own_case
	author
	kept
}

permits if {
	input.action == "case.read-shared"
	open_to_peer
}

permits if input.action == "case.close-lapsed"

# --- towards other organisations -----------------------------------------

in_our_circle if input.resource.circle in input.subject.circles

held_here if input.resource.owner_org == input.context.node

community_team if input.subject.org_kind == "wijkteam"

trusted_to_read if "lateral-review" in input.subject.trust_marks

reviewer if "reviewer" in input.subject.roles

to_learn if input.purpose == "learning-in-circle"

to_the_circle if input.resource.audience == "circle"

# review.receive asks for the same.
open_to_peer if {
	held_here
	community_team
	trusted_to_read
	reviewer
	to_learn
	right_step
	to_the_circle
	in_our_circle
	consent.in_force
	privacy.released
	privacy.hard_to_recognise
}

obligations contains {"op": "rendition", "value": "circle"} if input.action == "case.read-shared"

# --- who may know that it exists -----------------------------------------

visible if {
	input.action == "case.create"
	caller.person_at_home
}

visible if {
	input.action == "case.list"
	caller.lists
}

visible if {
	case_of_ours
	caller.person_at_home
	own_case
	openable
}

visible if {
	input.action == "case.stop"
	caller.person_at_home
	own_case
	responsible
}

# A notice went to the caller's organisation, so that it knows already.
visible if {
	outside
	input.resource.noticed == true
}

visible if {
	input.action == "case.close-lapsed"
	caller.at_home
}
