// Package samples holds twenty made-up stories with made-up people in them, and
// where in each text something points at a person. The demo tells them and the
// engine is measured on them; no rule or list of the engine is made from them.
package samples

import _ "embed"

// Cases has one JSON object a line: id, style, text and spans. Offsets are Unicode code points, [start, end).
//
//go:embed cases.jsonl
var Cases []byte
