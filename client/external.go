package client

import "time"

// ExternalDependency is something outside for which a stack's run waits before it begins, by the name that a push policy gave it.
// It is a part of RunDetail.
type ExternalDependency struct {
	Name   string     `json:"name" example:"7c1f0a2-image-build"`
	Status string     `json:"status" enum:"waiting,finished,skipped,failed"`
	Note   string     `json:"note,omitempty"`
	By     *Actor     `json:"by,omitempty" doc:"Who said so; absent while it waits."`
	Marked *time.Time `json:"marked,omitempty"`
}

// MarkDependency says what became of an external dependency: POST /external-dependencies (stack:apply in the space) gives a
// DependencyMarking.
type MarkDependency struct {
	Name   string `json:"name" minLength:"1" maxLength:"200" doc:"As the push policy gives it."`
	Status string `json:"status" enum:"finished,skipped,failed" doc:"finished and skipped let runs go on; failed fails them."`
	Space  string `json:"space,omitempty" maxLength:"100" doc:"For whose runs it holds, with those of the spaces below; the root space when absent."`
	Note   string `json:"note,omitempty" maxLength:"1024" doc:"Such as the address of the build."`
}

// DependencyMarking is what was said of an external dependency, and what that means for the runs that wait for it or did. It holds
// for runs that begin to wait before Until, too.
type DependencyMarking struct {
	Space  string      `json:"space"`
	Name   string      `json:"name"`
	Status string      `json:"status"`
	Note   string      `json:"note,omitempty"`
	Marked time.Time   `json:"marked"`
	Until  time.Time   `json:"until" doc:"When it is forgotten."`
	New    bool        `json:"new" doc:"Nobody had said the same before."`
	Runs   []MarkedRun `json:"runs" doc:"Those that the caller may read, the newest first."`
	More   bool        `json:"more,omitempty" doc:"There are older ones."`
}

// MarkedRun is what a marking means for a run. It is a part of DependencyMarking.
type MarkedRun struct {
	ID      string `json:"id"`
	Subject string `json:"subject" example:"stack:default/shop-infra"`
	State   string `json:"state"`
	Says    string `json:"says" doc:"What it means for the run, for people."`
}
