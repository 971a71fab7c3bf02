package client

import (
	"time"
)

// Application is a folder of manifests that is kept running on a cluster. GET /applications gives all that the caller may
// see (application:read).
type Application struct {
	Ref         string   `json:"ref" example:"application:default/shop"`
	Namespace   string   `json:"namespace"`
	Name        string   `json:"name"`
	Space       string   `json:"space"`
	Component   string   `json:"component,omitempty"`
	Stack       string   `json:"stack,omitempty"`
	Repository  string   `json:"repository"`
	Branch      string   `json:"branch"`
	Path        string   `json:"path"`
	Destination string   `json:"destination" example:"local/default"`
	Automated   bool     `json:"automated"`
	Sync        string   `json:"sync" enum:"Synced,OutOfSync,Unknown"`
	Health      string   `json:"health" enum:"Healthy,Progressing,Degraded,Suspended,Missing,Unknown"`
	Why         string   `json:"why,omitempty" doc:"Of the health."`
	Message     string   `json:"message,omitempty" doc:"What it waits for, or why it can't go on."`
	Left        []string `json:"left,omitempty" doc:"Places, as CLUSTER/NAMESPACE, other than its destination where it still has objects; a sync with prune takes them away."`
	Revision    string   `json:"revision,omitempty" doc:"Commit that is deployed."`
	URLs        []string `json:"urls" doc:"Where it answers."`
	LastRun     *Run     `json:"lastRun,omitempty"`
	Can         []string `json:"can" doc:"What the caller may do with it now, as far as rights go: sync, rollback."`
}

// ApplicationDetail is an application with its objects and its history, the newest first. GET
// /applications/{namespace}/{name}, and live GET /applications/{namespace}/{name}/events (application:read). POST
// /applications/{namespace}/{name}/sync and POST /applications/{namespace}/{name}/rollback begin a run of it
// (application:sync) and give a RunDetail.
type ApplicationDetail struct {
	Application
	Tree    []Object   `json:"tree"`
	History []Revision `json:"history"`
}

// Object is one object of a cluster in an application's tree.
type Object struct {
	Key      string    `json:"key" example:"apps/Deployment/default/shop"`
	Parent   string    `json:"parent,omitempty"`
	Kind     string    `json:"kind"`
	Name     string    `json:"name"`
	Health   string    `json:"health"`
	Message  string    `json:"message,omitempty"`
	Image    string    `json:"image,omitempty"`
	Ready    string    `json:"ready,omitempty" example:"2/2"`
	Restarts int       `json:"restarts,omitempty"`
	URLs     []string  `json:"urls,omitempty"`
	Created  time.Time `json:"created"`
}

// Revision is one entry of an application's history: a commit that was synced, by which run, and what came of it.
type Revision struct {
	ID      string    `json:"id"`
	Commit  string    `json:"commit"`
	Run     string    `json:"run"`
	State   string    `json:"state" enum:"succeeded,failed,rolled-back"`
	Message string    `json:"message,omitempty"`
	Created time.Time `json:"created"`
}

// ObjectChange is what a sync would do to one object. GET /applications/{namespace}/{name}/diff (application:read).
type ObjectChange struct {
	Key      string   `json:"key"`
	Action   string   `json:"action" enum:"created,updated,unchanged,deleted"`
	Diff     string   `json:"diff,omitempty" doc:"Unified diff, secrets hidden."`
	Warnings []string `json:"warnings,omitempty"`
}
