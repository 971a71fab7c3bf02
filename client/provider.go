package client

import "time"

// MirroredProvider is a package of a provider in the server's mirror. GET /providers gives all (mirror:read).
type MirroredProvider struct {
	Provider string    `json:"provider" example:"registry.opentofu.org/hashicorp/time"`
	Version  string    `json:"version" example:"0.14.2"`
	Platform string    `json:"platform" example:"linux_amd64"`
	Size     int64     `json:"size" doc:"Bytes of the archive."`
	Hashes   []string  `json:"hashes" doc:"As lock files have them: h1: of what is in it, zh: of the archive."`
	From     string    `json:"from,omitempty" doc:"The registry it was fetched from; absent for what somebody has added."`
	Signed   bool      `json:"signed,omitempty" doc:"The registry's list of checksums was, by a key that it names."`
	Kept     time.Time `json:"kept"`
}

// StackEngine is the engine of a stack's runs, or its vendor's program.
type StackEngine struct {
	Name    string `json:"name,omitempty" enum:"tofu,terraform,kubectl,terragrunt,pulumi" doc:"Absent where it is not known: the pool's own."`
	Version string `json:"version,omitempty" doc:"That a run would use now, where a version is asked for; else it is that of the pool's own. On agents of a pool each finds a vendor's program itself."`
	Wanted  string `json:"wanted,omitempty" doc:"The version that is asked for, as it is written: a constraint, or latest."`
	From    string `json:"from,omitempty" doc:"Who asks for it: the stack, or a file of the repository."`
}
