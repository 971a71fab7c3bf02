package client

// Actor is who did something, as pages show it. The ledger knows opaque ids only; names are looked up when read, and those of
// the deleted are gone.
type Actor struct {
	ID   string `json:"id" doc:"Opaque; what the ledger names."`
	Ref  string `json:"ref,omitempty" example:"user:default/alice"`
	Name string `json:"name" example:"Alice"`
}
