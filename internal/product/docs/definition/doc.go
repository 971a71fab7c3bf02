// Package definition reads the definitions of APIs into one shape, and tells what changed between two of them: OpenAPI 2 and 3,
// AsyncAPI 2 and 3, GraphQL's schema language and protobuf. Everything else is a text.
//
// An API is operations over types, whatever its format calls them; so there is one comparison for all. A change breaks when
// somebody who uses the API as it was could fail with it as it is: something is gone, has another type, is asked for that was
// not, or may lack that was certain. Types are judged by where they were used, as what is given, what is got, or both: who gives a
// value fails with what is narrower, and who gets it with what is wider. What a value may be is a list of alternatives for that,
// and names of types are only compared where somebody sees them.
//
// Definitions are not trusted. Nothing that they name is fetched; size, depth and number are bounded; and what is left out is
// told in Problems.
package definition
