// Package secret keeps values that go in and never come out again, but into the environment of a step that names them.
//
// A secret belongs to a space, and runs of that space are given it. It may be shared, so that the spaces below are given it too,
// or be the platform's alone, so that no run is: whoever may change what runs in a space can get at what its runs are given.
// Values are encrypted by age with an
// identity that lives in a file beside the data (DIR/age.key, mode 0600), so a copy of the database alone tells nothing.
// People see the name, when it was set, and a keyed checksum by which two values can be told apart.
package secret
