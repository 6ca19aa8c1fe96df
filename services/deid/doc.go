// Package deid finds what could point at a person in Dutch text, proposes what to put in its place, replaces it, and
// says how recognisable the rest is: as a library, as a gRPC service and on the command line.
//
// It keeps nothing: no text, no name, no mapping back. A text that it has treated is pseudonymised, never anonymous; a
// person decides about every proposal, and a colleague reads along before anything leaves. It does not know who may
// read what; that is policy. Names are found from lists in this repository, so a list is never fetched at run time.
package deid
