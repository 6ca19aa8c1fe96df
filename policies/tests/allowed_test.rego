package zijlicht_test

import data.samples
import data.zijlicht
import data.zijlicht.federation.caller

test_every_sample_is_allowed if {
	every action, inputs in samples {
		every i in inputs {
			i.action == action
			d := zijlicht.decision with input as i
			d.allow == true
			d.visible == true
			d.outward == ""
			d.reasons == []
		}
	}
}

test_every_action_has_a_sample if object.keys(samples) == object.keys(caller.calls)

test_only_a_shared_read_carries_an_obligation if {
	every action, inputs in samples {
		every i in inputs {
			d := zijlicht.decision with input as i
			d.obligations == [o | action == "case.read-shared"; o := {"op": "rendition", "value": "circle"}]
		}
	}
}
