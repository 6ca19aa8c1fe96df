# METADATA
# scope: package
# title: The floor
# description: >-
#   What all members share: the caller fits the action, and the concern that the
#   action belongs to permits it. Each concern is a package with the same names:
#   permits, visible (may the caller know that the resource exists) and failed
#   (which checks did not hold).
# schemas:
#   - input: schema.input
package zijlicht.federation

import data.zijlicht.federation.account
import data.zijlicht.federation.audit
import data.zijlicht.federation.caller
import data.zijlicht.federation.consent
import data.zijlicht.federation.grant
import data.zijlicht.federation.privacy
import data.zijlicht.federation.review
import data.zijlicht.federation.sharing

permits if {
	caller.fits
	concern_permits
}

concern_permits if account.permits

concern_permits if audit.permits

concern_permits if consent.permits

concern_permits if grant.permits

concern_permits if review.permits

concern_permits if sharing.permits

visible if account.visible

visible if audit.visible

visible if consent.visible

visible if grant.visible

visible if review.visible

visible if sharing.visible

failed := ((((((account.failed | audit.failed) | caller.failed) | consent.failed) | grant.failed) | privacy.failed) | review.failed) | sharing.failed

obligations := sharing.obligations

# Every code, the first to act on first.
codes := [
	"action.unknown",
	"caller.not_allowed",
	"caller.other_organisation",
	"member.suspended",
	"member.not_allowed",
	"role.missing",
	"resource.unknown",
	"case.removed",
	"consent.withdrawn",
	"consent.expired",
	"case.stopped",
	"case.paused",
	"case.closed",
	"case.not_open",
	"case.not_yours",
	"case.other_unit",
	"release.not_asked",
	"risk.unknown",
	"risk.recognisable",
	"consent.text_changed",
	"consent.signer_missing",
	"consent.absent",
	"consent.thinking_time",
	"release.second_reader",
	"circle.no_agreement",
	"purpose.not_agreed",
	"case.not_published",
	"case.wrong_step",
	"review.not_yours",
	"review.other_organisation",
	"peer.not_active",
	"organisation.refused",
]

# What a reader of another organisation may be told. Anything else is told as
# case.closed.
told_outside := {"circle.no_agreement", "purpose.not_agreed", "reader.too_close"}
