# METADATA
# scope: package
# title: The organisation's own rules
# description: >-
#   An organisation may only tighten: what it permits counts on top of the floor.
#   This bundle permits every action of the floor. Keep the form of the floor's
#   rules: positive checks only, since they filter lists too.
# schemas:
#   - input: schema.input
package zijlicht.organisation

import data.zijlicht.federation.caller

permits if caller.call
