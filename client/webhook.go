package client

import "time"

// WebhookMessage is what became of something that was sent to a webhook. GET /webhooks/{namespace}/{name}/messages
// (integration:read in the webhook's space).
type WebhookMessage struct {
	ID       string     `json:"id" example:"whm_01j9z3"`
	State    string     `json:"state" enum:"waiting,sent,failed"`
	Policy   string     `json:"policy" example:"policy:default/tell" doc:"That had it sent."`
	Decision string     `json:"decision,omitempty"`
	Run      string     `json:"run,omitempty"`
	Subject  string     `json:"subject,omitempty" doc:"What it is about."`
	Attempts int        `json:"attempts"`
	Status   int        `json:"status,omitempty" doc:"That was answered last."`
	Reason   string     `json:"reason,omitempty" doc:"Why it was not taken."`
	Created  time.Time  `json:"created"`
	Ended    *time.Time `json:"ended,omitempty"`
}
