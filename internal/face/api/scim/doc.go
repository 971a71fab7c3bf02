// Package scim speaks SCIM 2.0 (RFC 7643, RFC 7644) at /scim/v2/NAMESPACE/NAME, where an identity provider such as Okta or
// Entra ID writes the people and groups of a directory.
//
// Whoever asks presents a token of this server as Authorization: Bearer, which has directory:write for that directory.
//
// Attributes are those of the schemas of RFC 7643 and of its enterprise extension, by whatever case they are written in; others
// are passed over, and so are passwords, which are never kept. What providers are known to send is understood: truth as text
// ("False"), patches without a path or with paths as keys, operations in capitals, members that are removed by a list of values
// or by a filter, and a value that is set in an element that is not there yet. Bodies, operations, filters and pages are
// bounded.
package scim
