# METADATA
# scope: package
# title: Recorded decisions
# description: The privacy officer of a node reads that node's decisions.
# schemas:
#   - input: schema.input
package zijlicht.federation.audit

import data.zijlicht.federation.caller

concerned if input.action in {"decision.list", "decision.read"}

recorded_here if input.resource.node_org == input.context.node

permits if {
	concerned
	recorded_here
}

visible if {
	input.action == "decision.list"
	caller.lists
}

visible if {
	concerned
	caller.person_at_home
	"privacy-officer" in input.subject.roles
	recorded_here
}

failed contains {"code": "resource.unknown", "rule": "zijlicht.federation.audit.recorded_here", "args": {}} if {
	concerned
	not recorded_here
}
