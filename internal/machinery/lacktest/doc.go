// Package lacktest says what a test does on a machine that lacks something: it is skipped with a word, and where CI is set
// it fails, so that nothing is skipped there unseen.
//
// It also finds the collection of real files beside the repository, and tells Go's cache of results which programs outside
// of the module the tests have run.
package lacktest
