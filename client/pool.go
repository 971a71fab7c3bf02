package client

import "time"

// Pool is a worker pool: where steps run that the server does not run itself. It is declared by a WorkerPool document.
// GET /pools and GET /pools/{namespace}/{name} (pool:read). POST /pools/{namespace}/{name}/drain has its agents take nothing
// more, POST /pools/{namespace}/{name}/resume has them take steps again, and POST /pools/{namespace}/{name}/cycle has them end
// as soon as they run nothing, so that they are started anew (pool:admin).
type Pool struct {
	Ref         string   `json:"ref" example:"workerpool:payments/eu"`
	Namespace   string   `json:"namespace"`
	Name        string   `json:"name"`
	Space       string   `json:"space"`
	Description string   `json:"description,omitempty"`
	Shared      bool     `json:"shared" doc:"Stacks of the spaces below may use it, too."`
	Image       string   `json:"image,omitempty" doc:"In which steps run that name none, on agents that run containers."`
	Drained     bool     `json:"drained" doc:"Its agents are given nothing."`
	Agents      int      `json:"agents" doc:"That are known."`
	Connected   int      `json:"connected" doc:"Of these."`
	Running     int      `json:"running" doc:"Steps that agents have."`
	Waiting     int      `json:"waiting" doc:"Steps that no agent has taken."`
	Can         []string `json:"can" doc:"What the caller may do with it: admin (drain it and work with its tokens), delete."`
}

// Agent runs steps of a pool. GET /pools/{namespace}/{name}/agents (pool:read). POST …/agents/{agent}/drain,
// …/agents/{agent}/resume and …/agents/{agent}/cycle are for one of them (pool:admin).
type Agent struct {
	Name     string      `json:"name"`
	State    string      `json:"state" enum:"connected,draining,gone" doc:"One that is gone was not heard of for a while, and is forgotten after a day."`
	Drained  bool        `json:"drained" doc:"By somebody, and not because it ends."`
	Version  string      `json:"version"`
	System   string      `json:"system" example:"linux/amd64"`
	Host     string      `json:"host,omitempty"`
	Executor string      `json:"executor" example:"process"`
	Parallel int         `json:"parallel" doc:"Steps that it runs at once."`
	Tools    []string    `json:"tools,omitempty"`
	Joined   time.Time   `json:"joined"`
	Seen     time.Time   `json:"seen" doc:"When it was heard of last."`
	Steps    []AgentStep `json:"steps" doc:"What it runs, as far as the caller may read it."`
	Others   int         `json:"others,omitempty" doc:"How many it runs beside these."`
}

// AgentStep is a step that an agent has.
type AgentStep struct {
	Run     string    `json:"run"`
	Step    string    `json:"step"`
	Title   string    `json:"title"`
	Started time.Time `json:"started"`
}

// PoolToken is a token by which agents of a pool show that they are. GET /pools/{namespace}/{name}/tokens, POST there makes one,
// and DELETE /pools/{namespace}/{name}/tokens/{id} ends one (pool:admin).
type PoolToken struct {
	ID      string     `json:"id" example:"ptk_01k2v6x8zq3m5n7p9r1s3t5v7x"`
	Name    string     `json:"name"`
	Created time.Time  `json:"created"`
	Expires *time.Time `json:"expires,omitempty"`
	Used    *time.Time `json:"used,omitempty" doc:"Within a minute."`
	Revoked *time.Time `json:"revoked,omitempty"`
}

// NewPoolToken is a token with its secret, which is shown this once.
type NewPoolToken struct {
	PoolToken
	Secret string `json:"secret"`
}
