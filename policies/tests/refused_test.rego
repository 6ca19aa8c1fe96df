package zijlicht_test

import data.samples
import data.zijlicht
import data.zijlicht.federation

# Each row spoils an allowed sample: what the caller is told, and the codes of all
# checks that do not hold, in order.
shared := {
	"peer: withdrawn": {"sample": ["case.read-shared", 0], "ops": [{"op": "replace", "path": "/resource/status", "value": "closed"}, {"op": "replace", "path": "/resource/closed_reason", "value": "withdrawn"}, {"op": "replace", "path": "/resource/grant_state", "value": "withdrawn"}], "outward": "case.closed", "codes": ["consent.withdrawn", "consent.withdrawn"]},
	"peer: withdrawn, not yet closed": {"sample": ["case.read-shared", 0], "ops": [{"op": "replace", "path": "/resource/grant_state", "value": "withdrawn"}], "outward": "case.closed", "codes": ["consent.withdrawn"]},
	"peer: expired": {"sample": ["case.read-shared", 0], "ops": [{"op": "replace", "path": "/resource/grant_until", "value": "2026-11-22T09:59:59.999999Z"}], "outward": "case.closed", "codes": ["consent.expired"]},
	"peer: removed": {"sample": ["case.read-shared", 0], "ops": [{"op": "replace", "path": "/resource/status", "value": "closed"}, {"op": "replace", "path": "/resource/closed_reason", "value": "removed"}], "outward": "case.closed", "codes": ["case.removed"]},
	"peer: paused": {"sample": ["case.read-shared", 0], "ops": [{"op": "replace", "path": "/resource/status", "value": "paused"}], "outward": "case.closed", "codes": ["case.paused"]},
	"peer: no longer published": {"sample": ["case.read-shared", 0], "ops": [{"op": "replace", "path": "/resource/status", "value": "draft"}], "outward": "case.closed", "codes": ["case.not_published"]},
	"peer: own team only": {"sample": ["case.read-shared", 0], "ops": [{"op": "replace", "path": "/resource/audience", "value": "team"}], "outward": "case.closed", "codes": ["case.not_published"]},
	"peer: never noticed": {"sample": ["case.read-shared", 0], "ops": [{"op": "replace", "path": "/resource/noticed", "value": false}, {"op": "replace", "path": "/resource/status", "value": "draft"}], "outward": "not_found", "codes": ["case.not_published"]},
	"peer: unknown case": {"sample": ["case.read-shared", 0], "ops": [{"op": "replace", "path": "/resource", "value": {"kind": "case", "id": "x"}}], "outward": "not_found", "codes": ["caller.other_organisation", "resource.unknown", "risk.unknown", "consent.absent", "release.second_reader", "circle.no_agreement", "case.not_published"]},
	"peer: another circle": {"sample": ["case.read-shared", 0], "ops": [{"op": "replace", "path": "/subject/circles", "value": ["elsewhere"]}], "outward": "circle.no_agreement", "codes": ["circle.no_agreement"]},
	"peer: another circle and withdrawn": {"sample": ["case.read-shared", 0], "ops": [{"op": "replace", "path": "/subject/circles", "value": ["elsewhere"]}, {"op": "replace", "path": "/resource/grant_state", "value": "withdrawn"}], "outward": "case.closed", "codes": ["consent.withdrawn", "circle.no_agreement"]},
	"peer: another purpose": {"sample": ["case.read-shared", 0], "ops": [{"op": "replace", "path": "/purpose", "value": "control"}], "outward": "purpose.not_agreed", "codes": ["purpose.not_agreed"]},
	"peer: municipality": {"sample": ["case.read-shared", 0], "ops": [{"op": "replace", "path": "/subject/org_kind", "value": "municipality"}], "outward": "case.closed", "codes": ["member.not_allowed"]},
	"peer: without the trust mark": {"sample": ["case.read-shared", 0], "ops": [{"op": "replace", "path": "/subject/trust_marks", "value": []}], "outward": "case.closed", "codes": ["member.not_allowed"]},
	"peer: without the role": {"sample": ["case.read-shared", 0], "ops": [{"op": "replace", "path": "/subject/roles", "value": ["notifier"]}], "outward": "case.closed", "codes": ["role.missing", "role.missing"]},
	"peer: suspended": {"sample": ["case.read-shared", 0], "ops": [{"op": "replace", "path": "/subject/org_state", "value": "suspended"}], "outward": "case.closed", "codes": ["member.suspended"]},
	"peer: not held here": {"sample": ["case.read-shared", 0], "ops": [{"op": "replace", "path": "/resource/owner_org", "value": "https://oost.example"}], "outward": "case.closed", "codes": ["caller.other_organisation"]},
	"peer: recognisable": {"sample": ["case.read-shared", 0], "ops": [{"op": "replace", "path": "/resource/risk", "value": 2}], "outward": "case.closed", "codes": ["risk.recognisable"]},
}

cases := {
	"a list of others' drafts": {"sample": ["case.list", 0], "ops": [{"op": "replace", "path": "/subject/id", "value": "account-3"}], "outward": "case.not_open", "codes": ["case.not_open"]},
	"the privacy officer stops a draft": {"sample": ["case.stop", 2], "ops": [{"op": "replace", "path": "/resource/status", "value": "draft"}, {"op": "replace", "path": "/resource/noticed", "value": false}], "outward": "case.wrong_step", "codes": ["case.wrong_step"]},
	"the worker closes something else": {"sample": ["case.close-lapsed", 0], "ops": [{"op": "replace", "path": "/resource/kind", "value": "notice"}], "outward": "resource.unknown", "codes": ["resource.unknown"]},
	"unknown action": {"sample": ["case.read", 0], "ops": [{"op": "replace", "path": "/action", "value": "case.burn"}], "outward": "not_found", "codes": ["action.unknown", "organisation.refused"]},
	"machine may not list cases": {"sample": ["case.list", 0], "ops": [{"op": "replace", "path": "/subject/kind", "value": "machine"}, {"op": "replace", "path": "/subject/id", "value": "client-1"}], "outward": "not_found", "codes": ["caller.not_allowed", "case.not_open"]},
	"role": {"sample": ["case.create", 0], "ops": [{"op": "replace", "path": "/subject/roles", "value": ["reviewer"]}], "outward": "role.missing", "codes": ["role.missing"]},
	"suspended": {"sample": ["case.create", 0], "ops": [{"op": "replace", "path": "/subject/org_state", "value": "suspended"}], "outward": "member.suspended", "codes": ["member.suspended"]},
	"create in another unit": {"sample": ["case.create", 0], "ops": [{"op": "replace", "path": "/resource/unit", "value": "team-west"}], "outward": "case.other_unit", "codes": ["case.other_unit"]},
	"create for another organisation": {"sample": ["case.create", 0], "ops": [{"op": "replace", "path": "/resource/owner_org", "value": "https://zuid.example"}], "outward": "caller.other_organisation", "codes": ["caller.other_organisation"]},
	"unknown case": {"sample": ["case.read", 0], "ops": [{"op": "replace", "path": "/resource", "value": {"kind": "case", "id": "case-0"}}], "outward": "not_found", "codes": ["resource.unknown", "resource.unknown", "case.not_open"]},
	"a colleague's draft": {"sample": ["case.read", 0], "ops": [{"op": "replace", "path": "/subject/id", "value": "account-3"}], "outward": "not_found", "codes": ["case.not_open"]},
	"the privacy officer reads no draft": {"sample": ["case.read", 0], "ops": [{"op": "replace", "path": "/subject/id", "value": "account-4"}, {"op": "replace", "path": "/subject/roles", "value": ["privacy-officer"]}], "outward": "not_found", "codes": ["case.not_open"]},
	"no role reads a draft": {"sample": ["case.read", 0], "ops": [{"op": "replace", "path": "/subject/id", "value": "account-4"}, {"op": "replace", "path": "/subject/roles", "value": ["privacy-officer", "professional", "reviewer", "federation-administrator", "operator"]}], "outward": "not_found", "codes": ["case.not_open"]},
	"no longer invited": {"sample": ["case.read", 1], "ops": [{"op": "replace", "path": "/resource/invited", "value": false}], "outward": "not_found", "codes": ["case.not_open"]},
	"another unit's published case": {"sample": ["case.read", 3], "ops": [{"op": "replace", "path": "/subject/unit", "value": "team-west"}], "outward": "not_found", "codes": ["case.not_open"]},
	"team without the role": {"sample": ["case.read", 3], "ops": [{"op": "replace", "path": "/subject/roles", "value": ["operator"]}], "outward": "not_found", "codes": ["case.not_open"]},
	"without a unit": {"sample": ["case.read", 3], "ops": [{"op": "replace", "path": "/subject/unit", "value": ""}, {"op": "replace", "path": "/resource/unit", "value": ""}], "outward": "not_found", "codes": ["case.not_open"]},
	"another organisation's case": {"sample": ["case.read", 0], "ops": [{"op": "replace", "path": "/resource/owner_org", "value": "https://zuid.example"}], "outward": "not_found", "codes": ["caller.other_organisation"]},
	"removed": {"sample": ["case.read", 4], "ops": [{"op": "replace", "path": "/resource/closed_reason", "value": "removed"}], "outward": "case.removed", "codes": ["case.removed"]},
	"not known how it closed": {"sample": ["case.read", 4], "ops": [{"op": "remove", "path": "/resource/closed_reason"}], "outward": "resource.unknown", "codes": ["resource.unknown"]},
	"edit another's draft": {"sample": ["case.edit", 0], "ops": [{"op": "replace", "path": "/subject/id", "value": "account-3"}, {"op": "replace", "path": "/resource/invited", "value": true}], "outward": "case.not_yours", "codes": ["case.not_yours"]},
	"edit after withdrawal": {"sample": ["case.edit", 1], "ops": [{"op": "replace", "path": "/resource/status", "value": "closed"}, {"op": "replace", "path": "/resource/closed_reason", "value": "withdrawn"}], "outward": "consent.withdrawn", "codes": ["consent.withdrawn"]},
	"edit after expiry": {"sample": ["case.edit", 1], "ops": [{"op": "replace", "path": "/resource/status", "value": "closed"}, {"op": "replace", "path": "/resource/closed_reason", "value": "expired"}], "outward": "consent.expired", "codes": ["consent.expired"]},
	"edit when stopped": {"sample": ["case.edit", 1], "ops": [{"op": "replace", "path": "/resource/status", "value": "closed"}, {"op": "replace", "path": "/resource/closed_reason", "value": "stopped"}], "outward": "case.stopped", "codes": ["case.stopped"]},
	"edit when removed": {"sample": ["case.edit", 1], "ops": [{"op": "replace", "path": "/resource/status", "value": "closed"}, {"op": "replace", "path": "/resource/closed_reason", "value": "removed"}], "outward": "case.removed", "codes": ["case.removed"]},
	"edit when paused": {"sample": ["case.edit", 1], "ops": [{"op": "replace", "path": "/resource/status", "value": "paused"}], "outward": "case.paused", "codes": ["case.paused"]},
	"the author releases": {"sample": ["case.release", 0], "ops": [{"op": "replace", "path": "/subject/id", "value": "account-1"}], "outward": "release.second_reader", "codes": ["release.second_reader"]},
	"author is second reader": {"sample": ["case.release", 0], "ops": [{"op": "replace", "path": "/subject/id", "value": "account-1"}, {"op": "replace", "path": "/resource/second_reader", "value": "account-1"}], "outward": "release.second_reader", "codes": ["release.second_reader"]},
	"invited, not asked to release": {"sample": ["case.release", 0], "ops": [{"op": "replace", "path": "/subject/id", "value": "account-3"}, {"op": "replace", "path": "/resource/invited", "value": true}], "outward": "release.not_asked", "codes": ["release.not_asked"]},
	"released already": {"sample": ["case.release", 0], "ops": [{"op": "replace", "path": "/resource/status", "value": "released"}], "outward": "case.wrong_step", "codes": ["case.wrong_step"]},
	"recognisable for release": {"sample": ["case.release", 0], "ops": [{"op": "replace", "path": "/resource/risk", "value": 3}], "outward": "risk.recognisable", "codes": ["risk.recognisable"]},
	"no rendition to release": {"sample": ["case.release", 0], "ops": [{"op": "replace", "path": "/resource/risk", "value": -1}], "outward": "risk.unknown", "codes": ["risk.unknown"]},
	"publish another's": {"sample": ["case.publish", 0], "ops": [{"op": "replace", "path": "/subject/id", "value": "account-2"}], "outward": "case.not_yours", "codes": ["case.not_yours"]},
	"publish a draft": {"sample": ["case.publish", 0], "ops": [{"op": "replace", "path": "/resource/status", "value": "draft"}], "outward": "case.wrong_step", "codes": ["case.wrong_step"]},
	"publish unreleased text": {"sample": ["case.publish", 0], "ops": [{"op": "replace", "path": "/resource/release_revision", "value": 2}], "outward": "release.second_reader", "codes": ["release.second_reader"]},
	"released by oneself": {"sample": ["case.publish", 0], "ops": [{"op": "replace", "path": "/resource/released_by", "value": "account-1"}], "outward": "release.second_reader", "codes": ["release.second_reader"]},
	"no yes": {"sample": ["case.publish", 0], "ops": [{"op": "replace", "path": "/resource/grant_state", "value": "absent"}], "outward": "consent.absent", "codes": ["consent.absent"]},
	"no fact about a yes": {"sample": ["case.publish", 0], "ops": [{"op": "remove", "path": "/resource/grant_state"}], "outward": "consent.absent", "codes": ["consent.absent"]},
	"a yes to another circle": {"sample": ["case.publish", 0], "ops": [{"op": "replace", "path": "/resource/grant_circle", "value": "elsewhere"}], "outward": "consent.absent", "codes": ["consent.absent"]},
	"withdrawn before publication": {"sample": ["case.publish", 0], "ops": [{"op": "replace", "path": "/resource/grant_state", "value": "withdrawn"}], "outward": "consent.withdrawn", "codes": ["consent.withdrawn"]},
	"a parent did not say yes": {"sample": ["case.publish", 0], "ops": [{"op": "replace", "path": "/resource/grant_state", "value": "parent-missing"}], "outward": "consent.signer_missing", "codes": ["consent.signer_missing"]},
	"facts added after the yes": {"sample": ["case.publish", 0], "ops": [{"op": "replace", "path": "/resource/grant_revision", "value": 2}], "outward": "consent.text_changed", "codes": ["consent.text_changed"]},
	"still thinking": {"sample": ["case.publish", 0], "ops": [{"op": "replace", "path": "/resource/grant_from", "value": "2026-11-22T10:00:00.000001Z"}], "outward": "consent.thinking_time", "codes": ["consent.thinking_time"]},
	"over, to the microsecond": {"sample": ["case.publish", 0], "ops": [{"op": "replace", "path": "/resource/grant_until", "value": "2026-11-22T10:00:00.000000Z"}], "outward": "consent.expired", "codes": ["consent.expired"]},
	"known to be over": {"sample": ["case.publish", 0], "ops": [{"op": "replace", "path": "/resource/grant_state", "value": "expired"}], "outward": "consent.expired", "codes": ["consent.expired"]},
	"another purpose in the yes": {"sample": ["case.publish", 0], "ops": [{"op": "replace", "path": "/resource/grant_purpose", "value": "research"}], "outward": "purpose.not_agreed", "codes": ["purpose.not_agreed"]},
	"not our circle": {"sample": ["case.publish", 0], "ops": [{"op": "replace", "path": "/subject/circles", "value": []}], "outward": "circle.no_agreement", "codes": ["circle.no_agreement"]},
	"recognisable for a circle": {"sample": ["case.publish", 0], "ops": [{"op": "replace", "path": "/resource/risk", "value": 2}], "outward": "risk.recognisable", "codes": ["risk.recognisable"]},
	"no rendition to publish": {"sample": ["case.publish", 0], "ops": [{"op": "replace", "path": "/resource/risk", "value": -1}], "outward": "risk.unknown", "codes": ["risk.unknown"]},
	"suspended publishes": {"sample": ["case.publish", 0], "ops": [{"op": "replace", "path": "/subject/org_state", "value": "suspended"}], "outward": "member.suspended", "codes": ["member.suspended"]},
	"a teammate stops": {"sample": ["case.stop", 0], "ops": [{"op": "replace", "path": "/subject/id", "value": "account-3"}], "outward": "case.not_yours", "codes": ["case.not_yours"]},
	"stop a draft": {"sample": ["case.stop", 0], "ops": [{"op": "replace", "path": "/resource/status", "value": "draft"}, {"op": "replace", "path": "/resource/noticed", "value": false}], "outward": "case.wrong_step", "codes": ["case.wrong_step"]},
	"stop in another organisation": {"sample": ["case.stop", 2], "ops": [{"op": "replace", "path": "/resource/owner_org", "value": "https://zuid.example"}], "outward": "not_found", "codes": ["caller.other_organisation"]},
	"second reader removes": {"sample": ["case.remove", 0], "ops": [{"op": "replace", "path": "/subject/id", "value": "account-2"}, {"op": "replace", "path": "/resource/second_reader", "value": "account-2"}], "outward": "case.not_yours", "codes": ["case.not_yours"]},
	"removed twice": {"sample": ["case.remove", 1], "ops": [{"op": "replace", "path": "/resource/closed_reason", "value": "removed"}], "outward": "case.removed", "codes": ["case.removed"]},
	"worker of another node": {"sample": ["case.close-lapsed", 0], "ops": [{"op": "replace", "path": "/subject/org", "value": "https://zuid.example"}], "outward": "not_found", "codes": ["caller.other_organisation"]},
}

dialogue := {
	"not a reviewer, open": {"sample": ["notice.open", 0], "ops": [{"op": "replace", "path": "/subject/roles", "value": ["professional"]}], "outward": "not_found", "codes": ["role.missing"]},
	"not a reviewer, list": {"sample": ["notice.list", 0], "ops": [{"op": "replace", "path": "/subject/roles", "value": ["professional"]}], "outward": "role.missing", "codes": ["role.missing"]},
	"unknown notice": {"sample": ["notice.open", 0], "ops": [{"op": "replace", "path": "/resource", "value": {"kind": "notice", "id": "x"}}], "outward": "not_found", "codes": ["resource.unknown", "case.closed", "circle.no_agreement"]},
	"closed notice": {"sample": ["notice.open", 0], "ops": [{"op": "replace", "path": "/resource/state", "value": "closed"}], "outward": "case.closed", "codes": ["case.closed"]},
	"closed notice leaves the list": {"sample": ["notice.list", 0], "ops": [{"op": "replace", "path": "/resource/state", "value": "closed"}], "outward": "case.closed", "codes": ["case.closed"]},
	"left the circle": {"sample": ["review.start", 0], "ops": [{"op": "replace", "path": "/subject/circles", "value": []}], "outward": "circle.no_agreement", "codes": ["circle.no_agreement"]},
	"suspended reader": {"sample": ["notice.open", 0], "ops": [{"op": "replace", "path": "/subject/org_state", "value": "suspended"}], "outward": "member.suspended", "codes": ["member.suspended"]},
	"a notice about another's case": {"sample": ["notice.receive", 0], "ops": [{"op": "replace", "path": "/resource/owner_org", "value": "https://noord.example"}], "outward": "case.closed", "codes": ["review.other_organisation"]},
	"a notice to another circle": {"sample": ["notice.receive", 0], "ops": [{"op": "replace", "path": "/subject/circles", "value": []}], "outward": "circle.no_agreement", "codes": ["circle.no_agreement"]},
	"a notice of neither kind": {"sample": ["notice.receive", 0], "ops": [{"op": "replace", "path": "/resource/state", "value": "held"}], "outward": "case.closed", "codes": ["case.closed"]},
	"a suspended member's notice": {"sample": ["notice.receive", 0], "ops": [{"op": "replace", "path": "/subject/org_state", "value": "suspended"}], "outward": "case.closed", "codes": ["member.suspended"]},
	"not the notifier": {"sample": ["notice.receive", 1], "ops": [{"op": "replace", "path": "/subject/roles", "value": ["reviewer"]}], "outward": "case.closed", "codes": ["role.missing"]},
	"another's review": {"sample": ["review.read", 0], "ops": [{"op": "replace", "path": "/subject/id", "value": "account-6"}], "outward": "not_found", "codes": ["review.not_yours"]},
	"another's list": {"sample": ["review.list", 0], "ops": [{"op": "replace", "path": "/subject/id", "value": "account-6"}], "outward": "review.not_yours", "codes": ["review.not_yours"]},
	"another node's review": {"sample": ["review.read", 1], "ops": [{"op": "replace", "path": "/resource/node_org", "value": "https://zuid.example"}], "outward": "not_found", "codes": ["resource.unknown"]},
	"the draft's time is over": {"sample": ["review.read", 2], "ops": [{"op": "replace", "path": "/resource/draft_until", "value": "2026-11-22T10:00:00.000000Z"}], "outward": "case.closed", "codes": ["case.closed"]},
	"draft in a closed dialogue": {"sample": ["review.draft", 0], "ops": [{"op": "replace", "path": "/resource/state", "value": "closed"}], "outward": "case.closed", "codes": ["case.closed"]},
	"submit to a closed dialogue": {"sample": ["review.submit", 0], "ops": [{"op": "replace", "path": "/resource/state", "value": "closed"}], "outward": "case.closed", "codes": ["case.closed"]},
	"another organisation's dialogue": {"sample": ["review.receive", 0], "ops": [{"op": "replace", "path": "/resource/peer_org", "value": "https://oost.example"}], "outward": "case.closed", "codes": ["review.other_organisation"]},
	"no dialogue named": {"sample": ["review.receive", 0], "ops": [{"op": "remove", "path": "/resource/peer_org"}], "outward": "case.closed", "codes": ["review.other_organisation"]},
	"message after withdrawal": {"sample": ["review.receive", 0], "ops": [{"op": "replace", "path": "/resource/grant_state", "value": "withdrawn"}], "outward": "case.closed", "codes": ["consent.withdrawn"]},
	"an answer from elsewhere": {"sample": ["review.receive", 1], "ops": [{"op": "replace", "path": "/resource/peer", "value": "https://oost.example"}], "outward": "not_found", "codes": ["review.other_organisation"]},
	"an answer to a closed dialogue": {"sample": ["review.receive", 1], "ops": [{"op": "replace", "path": "/resource/state", "value": "closed"}], "outward": "case.closed", "codes": ["case.closed"]},
	"worker of elsewhere delivers": {"sample": ["review.deliver", 0], "ops": [{"op": "replace", "path": "/subject/org", "value": "https://zuid.example"}], "outward": "not_found", "codes": ["caller.other_organisation"]},
	"a person delivers": {"sample": ["review.deliver", 0], "ops": [{"op": "replace", "path": "/subject/kind", "value": "person"}], "outward": "caller.not_allowed", "codes": ["caller.not_allowed"]},
}

others := {
	"grants of something else": {"sample": ["consent.list", 2], "ops": [{"op": "replace", "path": "/resource/kind", "value": "review"}], "outward": "resource.unknown", "codes": ["resource.unknown"]},
	"receipt of something else": {"sample": ["consent.withdraw", 0], "ops": [{"op": "replace", "path": "/resource/kind", "value": "review"}], "outward": "resource.unknown", "codes": ["resource.unknown"]},
	"decision about something else": {"sample": ["decision.read", 0], "ops": [{"op": "replace", "path": "/resource/kind", "value": "review"}], "outward": "resource.unknown", "codes": ["resource.unknown"]},
	"nobody": {"sample": ["session.read", 0], "ops": [{"op": "replace", "path": "/subject/id", "value": ""}], "outward": "caller.not_allowed", "codes": ["caller.not_allowed"]},
	"another organisation's person": {"sample": ["session.read", 0], "ops": [{"op": "replace", "path": "/subject/org", "value": "https://zuid.example"}], "outward": "not_found", "codes": ["caller.other_organisation"]},
	"a message that never came": {"sample": ["review.receive", 2], "ops": [{"op": "replace", "path": "/resource/found", "value": false}], "outward": "not_found", "codes": ["resource.unknown"]},
	"another's message": {"sample": ["review.receive", 2], "ops": [{"op": "replace", "path": "/resource/peer_org", "value": "https://west.example"}], "outward": "not_found", "codes": ["resource.unknown"]},
	"peer of the own organisation": {"sample": ["case.read-shared", 0], "ops": [{"op": "replace", "path": "/subject/org", "value": "https://noord.example"}], "outward": "case.closed", "codes": ["caller.other_organisation"]},
	"kind": {"sample": ["session.read", 0], "ops": [{"op": "replace", "path": "/resource/kind", "value": "case"}], "outward": "resource.unknown", "codes": ["resource.unknown"]},
	"register for another's case": {"sample": ["consent.register", 0], "ops": [{"op": "replace", "path": "/subject/id", "value": "account-2"}, {"op": "replace", "path": "/resource/second_reader", "value": "account-2"}], "outward": "case.not_yours", "codes": ["case.not_yours"]},
	"register a new yes after a withdrawal, before the case is closed": {"sample": ["consent.register", 2], "ops": [{"op": "replace", "path": "/resource/grant_state", "value": "withdrawn"}], "outward": "consent.withdrawn", "codes": ["consent.withdrawn", "case.wrong_step"]},
	"register a new yes after its time and a withdrawal": {"sample": ["consent.register", 1], "ops": [{"op": "replace", "path": "/resource/grant_state", "value": "withdrawn"}], "outward": "consent.withdrawn", "codes": ["consent.withdrawn", "consent.expired"]},
	"register on a closed case": {"sample": ["consent.register", 0], "ops": [{"op": "replace", "path": "/resource/status", "value": "closed"}], "outward": "case.stopped", "codes": ["case.stopped"]},
	"a teammate lists grants": {"sample": ["consent.list", 0], "ops": [{"op": "replace", "path": "/subject/id", "value": "account-3"}], "outward": "case.not_yours", "codes": ["case.not_yours"]},
	"unknown receipt": {"sample": ["consent.withdraw", 0], "ops": [{"op": "replace", "path": "/resource/found", "value": false}], "outward": "not_found", "codes": ["resource.unknown"]},
	"a professional lists decisions": {"sample": ["decision.list", 0], "ops": [{"op": "replace", "path": "/subject/roles", "value": ["professional"]}], "outward": "role.missing", "codes": ["role.missing"]},
	"a professional reads a decision": {"sample": ["decision.read", 0], "ops": [{"op": "replace", "path": "/subject/roles", "value": ["professional"]}], "outward": "not_found", "codes": ["role.missing"]},
	"another node's decision": {"sample": ["decision.read", 0], "ops": [{"op": "replace", "path": "/resource/node_org", "value": "https://zuid.example"}], "outward": "not_found", "codes": ["resource.unknown"]},
	"a machine lists decisions": {"sample": ["decision.list", 0], "ops": [{"op": "replace", "path": "/subject/kind", "value": "machine"}], "outward": "not_found", "codes": ["caller.not_allowed"]},
	"machine of elsewhere": {"sample": ["circle.list", 1], "ops": [{"op": "replace", "path": "/subject/org", "value": "https://zuid.example"}], "outward": "not_found", "codes": ["caller.other_organisation"]},
	"grant to a suspended peer": {"sample": ["grant.mint", 0], "ops": [{"op": "replace", "path": "/resource/state", "value": "suspended"}], "outward": "peer.not_active", "codes": ["peer.not_active"]},
}

refused := object.union_n([cases, shared, dialogue, others])

spoiled(row) := json.patch(samples[row.sample[0]][row.sample[1]], row.ops)

as_told(row) if {
	d := zijlicht.decision with input as spoiled(row)
	d.allow == false
	d.outward == row.outward
	d.visible == row.outward != "not_found"
	d.obligations == []
	[r.code | some r in d.reasons] == row.codes
}

test_refused_shared[name] if {
	some name, row in shared
	as_told(row)
}

test_refused_cases[name] if {
	some name, row in cases
	as_told(row)
}

test_refused_dialogue[name] if {
	some name, row in dialogue
	as_told(row)
}

test_refused_others[name] if {
	some name, row in others
	as_told(row)
}

test_every_code_is_in_the_order if {
	every row in refused {
		failed := zijlicht.failed with input as spoiled(row)
		every r in failed {
			r.code in federation.codes
		}
	}
}

test_every_code_occurs if {
	{c | some row in refused; some c in row.codes} == {c | some c in federation.codes}
}

test_the_organisation_may_tighten if {
	every inputs in samples {
		every i in inputs {
			d := zijlicht.decision with input as i with data.zijlicht.organisation.permits as false
			d.allow == false
			[r.code | some r in d.reasons] == ["organisation.refused"]
		}
	}
}
