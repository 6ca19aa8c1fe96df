// Package openapi holds the OpenAPI 3.1 document of a node's /api/v1, generated from the contracts beside it. It never describes
// what nodes offer each other.
package openapi

import _ "embed"

// Document is the whole document, as JSON.
//
//go:embed openapi.json
var Document []byte
