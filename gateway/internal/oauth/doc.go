// Package oauth is the OAuth 2.0 ground of a node's gateway: the token endpoint where a peer organisation
// exchanges a grant for a key-bound access token, the check of such a token on a request, and the client that
// does both at another node.
//
// It implements, and its tests name: RFC 6749 (token endpoint), RFC 7523 (private_key_jwt and jwt-bearer), the
// ID-JAG profile of that grant, RFC 8707 (resource), RFC 9068 (access tokens), RFC 9449 (DPoP), RFC 8414
// (metadata) and the FAPI 2.0 rules for all of these.
//
// It never decides what a person may read: a token says who asks and within which scope, and the owning service
// decides on every read. It never stores, logs or traces a token, a grant or a proof, it fetches no keys from a URL
// that a message names, and no type of the framework underneath (fosite) leaves it.
package oauth
