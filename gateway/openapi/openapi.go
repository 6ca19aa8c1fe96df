// Package openapi holds the description of the API that a node serves under /api/v1. The document is generated from the
// contracts in proto/ and committed, so that a change of the API shows in review. It never describes what one node
// offers another (/federation/v1) nor the OAuth endpoints: those follow specifications of their own.
package openapi

import _ "embed"

//go:generate go run ./gen -root ../.. -out openapi.json

// Version of the API, as in the document and in the header API-Version of every answer.
const Version = "1.0.0"

//go:embed openapi.json
var document []byte

// Document is the OpenAPI 3.1 document in JSON. The caller must not change it.
func Document() []byte { return document }
