package client

import "time"

// Discovery is an organization of a forge that comes into the catalog.
type Discovery struct {
	Ref          string          `json:"ref" example:"discovery:default/acme"`
	Namespace    string          `json:"namespace"`
	Name         string          `json:"name"`
	Space        string          `json:"space"`
	Integration  string          `json:"integration" example:"default/github"`
	Organization string          `json:"organization" example:"acme"`
	Interval     int64           `json:"interval" doc:"Seconds between two looks."`
	State        string          `json:"state" enum:"unknown,healthy,held,limited,refused,away,broken"`
	Reason       string          `json:"reason,omitempty"`
	Found        DiscoveryCounts `json:"found"`
	Since        *time.Time      `json:"since,omitempty" doc:"When the state began."`
	Looked       *time.Time      `json:"looked,omitempty" doc:"When the last look began."`
	Next         *time.Time      `json:"next,omitempty" doc:"When the next one does."`
	Busy         bool            `json:"busy" doc:"It is being looked at."`
	Can          []string        `json:"can" doc:"What the caller may do: look, delete."`
}

// DiscoveryCounts tell what was found.
type DiscoveryCounts struct {
	Repositories int `json:"repositories"`
	Registered   int `json:"registered"`
	Without      int `json:"without" doc:"Without a file for the catalog."`
	Excluded     int `json:"excluded"`
	Pending      int `json:"pending" doc:"Not asked for their file yet."`
	Failed       int `json:"failed"`
	Users        int `json:"users"`
	Groups       int `json:"groups"`
	Wrong        int `json:"wrong" doc:"Users and groups that could not be taken."`
	Held         int `json:"held" doc:"That would go, but are more than may go at once."`
}

// FoundRepository is a repository that a Discovery found.
type FoundRepository struct {
	ID         string `json:"id" doc:"At the forge."`
	Name       string `json:"name" example:"acme/shop"`
	URL        string `json:"url,omitempty"`
	State      string `json:"state" enum:"registered,without,excluded,pending,failed"`
	Reason     string `json:"reason,omitempty"`
	Repository string `json:"repository,omitempty" doc:"What it is called here, when it is connected and the caller may read it."`
	Location   string `json:"location,omitempty" doc:"Id of its location in the catalog."`
}

// DiscoveryPreview is what a Discovery would find.
type DiscoveryPreview struct {
	Found        DiscoveryCounts   `json:"found"`
	Repositories []FoundRepository `json:"repositories" doc:"The first 500, by name."`
}
