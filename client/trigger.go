package client

import (
	"time"
)

// TriggerEvent is what one push did to one trigger, the newest first. GET /triggers/{namespace}/{name}/events (entity:read).
type TriggerEvent struct {
	ID         string    `json:"id"`
	Repository string    `json:"repository"`
	Ref        string    `json:"ref"`
	Commit     string    `json:"commit"`
	Outcome    string    `json:"outcome" enum:"started,skipped,refused"`
	Message    string    `json:"message,omitempty"`
	Run        string    `json:"run,omitempty"`
	Time       time.Time `json:"time"`
}
