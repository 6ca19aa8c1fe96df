# METADATA
# scope: package
# title: The decision
# description: >-
#   What the federation's floor permits and the organisation does not forbid is
#   allowed; anything else is refused, with every check that did not hold. What
#   allow is made of are positive checks alone, because the same rule becomes the
#   filter of a list: no default, no not, no iteration over facts of the resource.
# schemas:
#   - input: schema.input
package zijlicht

import data.zijlicht.federation
import data.zijlicht.organisation

# METADATA
# entrypoint: true
allow if {
	federation.permits
	organisation.permits
}

# METADATA
# entrypoint: true
decision := {
	"allow": true,
	"visible": true,
	"outward": "",
	"reasons": [],
	"obligations": [o | some o in federation.obligations],
} if {
	allow
}

decision := {
	"allow": false,
	"visible": visible,
	"outward": outward,
	"reasons": reasons,
	"obligations": [],
} if {
	not allow
}

# Whether the caller may know that the resource exists.
default visible := false

visible if federation.visible

failed contains reason if some reason in federation.failed

failed contains {"code": "organisation.refused", "rule": "zijlicht.organisation.permits", "args": {}} if {
	not organisation.permits
}

# The first to act on comes first.
reasons := [reason |
	some code in federation.codes
	some reason in failed
	reason.code == code
]

# The one code that leaves.
default outward := "not_found"

outward := reasons[0].code if {
	visible
	input.subject.kind != "peer"
}

outward := told if {
	visible
	input.subject.kind == "peer"
}

# Outside the organisation nobody is told why a case is no longer open: that would
# tell something about the resident.
told := "case.closed" if some_kept_inside

told := reasons[0].code if not some_kept_inside

some_kept_inside if {
	some reason in reasons
	not reason.code in federation.told_outside
}
