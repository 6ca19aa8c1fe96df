# METADATA
# scope: package
# title: Being signed in
# description: What anyone of the organisation may do and see; the caller is all there is to check.
# schemas:
#   - input: schema.input
package zijlicht.federation.account

import data.zijlicht.federation.caller

permits if input.action in {"circle.list", "colleague.list", "session.read"}

visible if {
	permits
	caller.at_home
}

# Nothing here fails by itself.
failed := set()
