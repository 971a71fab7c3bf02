package api

import "strings"

// Match is what a write takes that is only for a thing as it was seen.
type Match struct {
	IfMatch string `header:"If-Match" maxLength:"200" doc:"The etag that it must have now, or * for any; otherwise the answer is 412."`
}

// etag gives what stands in the header. A proxy that compresses answers makes their etags weak (W/); they are as good.
func (m Match) etag() string {
	return strings.Trim(strings.TrimPrefix(strings.TrimSpace(m.IfMatch), "W/"), `"`)
}

// tagged is an answer with the etag that a write to the same thing takes as If-Match.
type tagged[T any] struct {
	ETag string `header:"ETag"`
	Body T
}

func withTag[T any](etag string, v T) *tagged[T] { return &tagged[T]{quoted(etag), v} }

// tag is the etag alone, of an answer without a body.
type tag struct {
	ETag string `header:"ETag"`
}

func quoted(etag string) string { return `"` + etag + `"` }
