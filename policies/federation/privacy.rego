# METADATA
# scope: package
# title: Recognisability and four eyes
# description: >-
#   Facts of a case that protect the people in it, whoever asks.
# schemas:
#   - input: schema.input
package zijlicht.federation.privacy

import data.zijlicht.federation.sharing

# Two bounds also keep out what is not a number at all: any null is smaller and any
# text larger than a number.
releasable if {
	input.resource.risk >= 0
	input.resource.risk <= 2
}

hard_to_recognise if {
	input.resource.risk >= 0
	input.resource.risk <= 1
}

# Both are named, and they differ. Without the bounds an absent name would differ
# from every name.
released_by_another if {
	input.resource.author > ""
	input.resource.author < "~"
	input.resource.released_by > ""
	input.resource.released_by < "~"
	input.resource.released_by != input.resource.author
}

released_as_it_is if {
	input.resource.basis_revision >= 1
	input.resource.basis_revision <= 2147483647
	input.resource.release_revision == input.resource.basis_revision
}

released if {
	released_by_another
	released_as_it_is
}

failed contains {"code": "release.second_reader", "rule": "zijlicht.federation.privacy.released", "args": {}} if {
	sharing.goes_outside
	not released
}

failed contains {"code": "risk.unknown", "rule": "zijlicht.federation.privacy.hard_to_recognise", "args": {}} if {
	sharing.goes_outside
	not assessed
}

failed contains {"code": "risk.unknown", "rule": "zijlicht.federation.privacy.releasable", "args": {}} if {
	input.action == "case.release"
	not assessed
}

failed contains {"code": "risk.recognisable", "rule": "zijlicht.federation.privacy.releasable", "args": {}} if {
	input.action == "case.release"
	assessed
	not releasable
}

failed contains {"code": "risk.recognisable", "rule": "zijlicht.federation.privacy.hard_to_recognise", "args": {}} if {
	sharing.goes_outside
	assessed
	not hard_to_recognise
}

assessed if {
	is_number(input.resource.risk)
	input.resource.risk >= 0
}
