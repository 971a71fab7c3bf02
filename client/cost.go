package client

import "time"

// PlanCost is what a plan would change of what a stack costs in a month, by the price lists that count in its space, or by the
// program infracost, where the stack has its key. It is a part of Plan.
type PlanCost struct {
	Source    string         `json:"source" enum:"prices,infracost"`
	Currency  string         `json:"currency" example:"EUR"`
	Before    float64        `json:"before" doc:"In a month."`
	After     float64        `json:"after"`
	Delta     float64        `json:"delta"`
	Priced    int            `json:"priced" doc:"Resources."`
	Unpriced  int            `json:"unpriced" doc:"Resources of which no price speaks."`
	Notes     []string       `json:"notes,omitempty" doc:"What could not be told."`
	Lists     []string       `json:"lists,omitempty" doc:"Price lists, the nearest first."`
	Resources []ResourceCost `json:"resources" doc:"That cost something before or after."`
}

// ResourceCost is what one resource costs in a month. It is a part of PlanCost.
type ResourceCost struct {
	Address string     `json:"address"`
	Before  float64    `json:"before"`
	After   float64    `json:"after"`
	Delta   float64    `json:"delta"`
	Parts   []CostPart `json:"parts,omitempty"`
}

// CostPart is what one price gives. It is a part of ResourceCost.
type CostPart struct {
	Name           string  `json:"name"`
	Unit           string  `json:"unit,omitempty"`
	Price          float64 `json:"price" doc:"Of one unit."`
	QuantityBefore float64 `json:"quantityBefore"`
	Quantity       float64 `json:"quantity"`
	Before         float64 `json:"before"`
	After          float64 `json:"after"`
}

// StackSet makes a stack of each folder of a repository that fits. GET /stack-sets and GET /stack-sets/{namespace}/{name}
// (stack:read). Its stacks are GET /stacks?set=NAMESPACE/NAME.
type StackSet struct {
	Ref        string     `json:"ref" example:"stackset:default/mono"`
	Namespace  string     `json:"namespace"`
	Name       string     `json:"name"`
	Space      string     `json:"space"`
	Repository string     `json:"repository"`
	Branch     string     `json:"branch"`
	Owner      string     `json:"owner,omitempty"`
	Folders    []string   `json:"folders" doc:"Patterns of folders that become stacks."`
	Ignore     []string   `json:"ignore,omitempty" doc:"Patterns of folders that are left out."`
	Files      []string   `json:"files" doc:"Patterns of names, of which a folder has a file."`
	Naming     string     `json:"naming" doc:"The name of each stack, with placeholders." example:"{{path.slug}}"`
	PlanFirst  bool       `json:"planFirst" doc:"What the first look finds is planned; else it counts as looked at, and is planned by the next push that touches it."`
	Removed    string     `json:"removed" enum:"keep,delete" doc:"What becomes of a stack whose folder is gone; one whose state holds something stays."`
	Seen       string     `json:"seen,omitempty" doc:"Commit that was looked at last."`
	Looked     *time.Time `json:"looked,omitempty"`
	Took       int64      `json:"took" doc:"How long the newest look took, in milliseconds."`
	Stacks     int        `json:"stacks"`
	Kept       int        `json:"kept" doc:"Stacks whose folder is gone."`
	Held       int        `json:"held" doc:"Stacks that would go, but are more than may go at once."`
	Wrong      int        `json:"wrong" doc:"Folders that could not become a stack."`
	Stale      int        `json:"stale" doc:"Stacks that are not as the set says now, since that could not be taken."`
	Ignored    int        `json:"ignored" doc:"Folders that fit and are left out by a pattern."`
	Bare       int        `json:"bare" doc:"Folders that fit and have no file by which they would be a stack; not told for patterns with **."`
	Made       int        `json:"made" doc:"Stacks that the newest look made."`
	Gone       int        `json:"gone" doc:"Stacks that the newest look took away."`
	Problems   []string   `json:"problems" doc:"At most 50."`
	Message    string     `json:"message,omitempty" doc:"Why nothing could be looked at, or what is held back."`
	Can        []string   `json:"can" doc:"What the caller may do with it: look."`
}

// StackSetFolder is a folder of a stack set. GET /stack-sets/{namespace}/{name}/folders (stack:read).
type StackSetFolder struct {
	Folder   string `json:"folder"`
	Standing string `json:"standing" enum:"made,stale,kept,held,wrong,ignored,bare" doc:"made is a stack; stale is one, but not as the set says now; kept and held are gone, and their stacks stay; wrong, ignored and bare have no stack."`
	Why      string `json:"why,omitempty" doc:"Why it is not made."`
	Stack    *Stack `json:"stack,omitempty"`
}

// StackSetTry is another text of a stack set. POST /stack-sets/{namespace}/{name}/try (stack:read and entity:write).
type StackSetTry struct {
	Folders []string `json:"folders" maxItems:"50"`
	Ignore  []string `json:"ignore,omitempty" maxItems:"50"`
	Files   []string `json:"files,omitempty" maxItems:"50" doc:"As the set has them when left out, and so of naming and removed."`
	Naming  string   `json:"naming,omitempty" maxLength:"300"`
	Removed string   `json:"removed,omitempty" enum:"keep,delete"`
}

// StackSetTried is what a stack set would come to with another text.
type StackSetTried struct {
	Commit  string                `json:"commit" doc:"The head of its branch, by which it is told."`
	Stacks  int                   `json:"stacks" doc:"That it would have."`
	Made    int                   `json:"made" doc:"Stacks that it would make."`
	Gone    int                   `json:"gone" doc:"Stacks that it would take away; more than a quarter at once are held back."`
	Kept    int                   `json:"kept" doc:"Stacks without a folder that would stay."`
	Wrong   int                   `json:"wrong" doc:"Folders that could not become a stack."`
	Changes []StackSetTriedFolder `json:"changes" doc:"At most 500."`
}

// StackSetTriedFolder is a folder for which something would be otherwise. It is a part of StackSetTried.
type StackSetTriedFolder struct {
	Folder   string `json:"folder"`
	Standing string `json:"standing" enum:"made,gone,kept,wrong"`
	Stack    string `json:"stack,omitempty" example:"stack:default/stacks-pay-eu"`
	Why      string `json:"why,omitempty"`
}

// StackMembership tells of which stack set a stack is. It is a part of Stack.
type StackMembership struct {
	Set      string `json:"set" example:"stackset:default/mono"`
	Standing string `json:"standing" enum:"made,stale,kept,held"`
	Why      string `json:"why,omitempty"`
}
