package client

import "time"

// PlanCost is what a plan would change of what a stack costs in a month, by the price lists that count in its space, or by the
// program infracost, where a pool has it. It is a part of Plan.
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
	Folders    []string   `json:"folders"`
	Removed    string     `json:"removed" enum:"keep,delete" doc:"What becomes of a stack whose folder is gone; one whose state holds something stays."`
	Seen       string     `json:"seen,omitempty" doc:"Commit that was looked at last."`
	Looked     *time.Time `json:"looked,omitempty"`
	Took       int64      `json:"took" doc:"How long the newest look took, in milliseconds."`
	Stacks     int        `json:"stacks"`
	Kept       int        `json:"kept" doc:"Stacks whose folder is gone."`
	Held       int        `json:"held" doc:"Stacks that would go, but are more than may go at once."`
	Wrong      int        `json:"wrong" doc:"Folders that could not become a stack."`
	Problems   []string   `json:"problems" doc:"At most 50."`
	Message    string     `json:"message,omitempty" doc:"Why nothing could be looked at, or what is held back."`
}
