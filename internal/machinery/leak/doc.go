// Package leak finds secrets in files: keys and tokens whose form is published, and values that are assigned to names that
// say that they are secret. It would rather miss one than cry wolf: what looks like an example is passed over.
package leak
