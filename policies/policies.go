// Package policies carries what this version of Zijlicht decides by, and the words
// for it: the bundle of rules, and the Dutch sentences that tell a person why
// something was refused and what to do next. It evaluates nothing; that is
// services/platform/authz.
package policies

import (
	"embed"
	"io/fs"
)

//go:embed decision.rego federation/*.rego organisation/*.rego schema/*.json samples/*.json
var bundle embed.FS

// Bundle is the policy: rules, the input's schema and sample inputs. The tests of
// the rules are not in it, so that they do not change its revision.
func Bundle() fs.FS { return bundle }
