package client

// RunWait is what a run waits for. It is a part of RunDetail and of QueuedRun.
type RunWait struct {
	For      string `json:"for" enum:"lock,state,runs,worker,external" doc:"The stack's lock, that of its state, runs of other stacks, a worker, or something outside."`
	Reason   string `json:"reason"`
	Behind   string `json:"behind,omitempty" doc:"Run that holds the stack, or goes right before it."`
	Position int    `json:"position,omitempty" doc:"In its queue, from 1."`
	Queued   int    `json:"queued,omitempty" doc:"How many are in the queue; of a worker, up to it."`
}

// QueuedRun is a run of a stack that is under way. GET /stacks/{namespace}/{name}/queue lists them in the order in which they go
// on (stack:read and run:read). POST /runs/{id}/prioritize has one go before others, or with {off: true} takes that back
// (run:prioritize).
type QueuedRun struct {
	Run   Run      `json:"run"`
	Holds bool     `json:"holds" doc:"It holds the stack."`
	Wait  *RunWait `json:"wait,omitempty" doc:"Absent when it goes on, or waits for a person."`
}

// Replan chooses resources of the plan of a run that waits for review: POST /runs/{id}/replan (run:confirm, and the right to begin
// a run of its type) has it plan anew for these, and gives a RunDetail.
type Replan struct {
	Targets []string `json:"targets,omitempty" maxItems:"200" doc:"Only these, with what they need: addresses of resources, or of modules."`
	Replace []string `json:"replace,omitempty" maxItems:"200" doc:"Are made anew: addresses of resources."`
	Note    string   `json:"note,omitempty" maxLength:"4096"`
}
