// Package hostiletest is what a hostile step does, for the tests of executors: a program plays one of its roles inside.
package hostiletest
