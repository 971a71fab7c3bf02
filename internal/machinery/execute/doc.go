// Package execute is the contract of running one command in isolation. Its bodies live below it; the suite
// that each of them passes is executetest.
//
// A started command and everything that it started is one group: it ends as a whole, when the command
// ends, when a limit is passed, when the context ends, or when the server dies.
package execute
