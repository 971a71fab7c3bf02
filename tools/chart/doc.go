// Package chart holds the tests of deploy/chart. It is a module of its own, since Helm is heavy and Roadbed doesn't need it.
package chart
