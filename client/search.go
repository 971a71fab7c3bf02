package client

import "time"

// SearchResult is a page of what a search found, the best first. GET /search.
type SearchResult struct {
	Items    []SearchHit        `json:"items"`
	Next     string             `json:"next,omitempty" doc:"Cursor of the next page; absent at the end."`
	Total    int                `json:"total"`
	In       []Facet            `json:"in" doc:"How many of each kind of thing match the rest of the query."`
	Facets   map[string][]Facet `json:"facets" doc:"Of those that were asked for, what each value would give with the rest of the query; the 50 most frequent."`
	Typos    bool               `json:"typos,omitempty" doc:"Few things have the words, so those that differ by a typo are there, too."`
	Building bool               `json:"building,omitempty" doc:"The index is being made since the server started, so things may be missing."`
}

// SearchHit is a thing that was found.
type SearchHit struct {
	In    string      `json:"in" enum:"entities,apis,docs,runs"`
	Score int         `json:"score"`
	Title []TextPiece `json:"title" doc:"Joined, its title, or its name where it has none; of docs the heading."`
	Text  []TextPiece `json:"text,omitempty" doc:"What else matches, or what the thing is."`

	Ref       string     `json:"ref,omitempty" doc:"The entity; of docs the one whose they are, of a run its subject."`
	Kind      string     `json:"kind,omitempty"`
	Type      string     `json:"type,omitempty" doc:"Of the entity, or the kind of the run."`
	Owner     string     `json:"owner,omitempty"`
	Lifecycle string     `json:"lifecycle,omitempty"`
	Space     string     `json:"space,omitempty"`
	Path      string     `json:"path,omitempty" doc:"Of docs: the page; empty for the first."`
	Anchor    string     `json:"anchor,omitempty" doc:"Of docs: the heading."`
	Page      string     `json:"page,omitempty" doc:"Of docs: the title of the page."`
	Run       string     `json:"run,omitempty" doc:"Id of the run."`
	State     string     `json:"state,omitempty" doc:"Of the run."`
	Updated   *time.Time `json:"updated,omitempty"`
	Address   string     `json:"address" doc:"Path of the portal."`
}

// TextPiece is a piece of a text.
type TextPiece struct {
	Text  string `json:"text"`
	Match bool   `json:"match,omitempty" doc:"It is what a word of the query found."`
}
