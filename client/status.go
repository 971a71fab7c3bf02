package client

// Features are what this installation has, for people and for doctor.
type Features struct {
	Isolated  bool     `json:"isolated" doc:"Whether steps run isolated."`
	Isolation []string `json:"isolation,omitempty" doc:"What isolation lacks, if anything."`
	Executor  string   `json:"executor" enum:"process,container" doc:"What runs the steps of workflows and stacks."`
	Engine    string   `json:"engine,omitempty" doc:"Program that plans and applies stacks."`
	Database  string   `json:"database" enum:"sqlite,postgres"`
}

// Status is what anyone who is signed in may know of the installation. GET /status.
type Status struct {
	Version  string   `json:"version"`
	GitURL   string   `json:"gitUrl" doc:"Hosted repositories are below it."`
	Registry string   `json:"registry" doc:"The embedded registry, as a client of containers names it."`
	Features Features `json:"features"`
}
