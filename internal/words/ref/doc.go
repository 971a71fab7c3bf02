// Package ref holds entity references, typed ids and label selectors.
package ref
