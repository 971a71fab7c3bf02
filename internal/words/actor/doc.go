// Package actor says who acts: the principal that travels in the context of every call.
package actor
