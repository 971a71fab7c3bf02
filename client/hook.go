package client

import (
	"encoding/json"
	"time"
)

// Delivery is one message of a forge that came by a webhook. GET /integrations/{namespace}/{name}/deliveries (integration:read).
type Delivery struct {
	Number     int64      `json:"number" doc:"The later the higher."`
	Delivery   string     `json:"delivery" doc:"The forge's id of it; a digest of its body when the forge has none."`
	State      string     `json:"state" enum:"received,done,ignored,failed"`
	Kind       string     `json:"kind,omitempty" enum:"ping,push,proposal,comment,review,check,repository,other" doc:"Empty until it has been read."`
	Name       string     `json:"name,omitempty" doc:"In the forge's words." example:"pull_request opened"`
	Repository string     `json:"repository,omitempty" example:"acme/shop"`
	Sender     string     `json:"sender,omitempty"`
	Size       int64      `json:"size" doc:"Bytes."`
	Kept       bool       `json:"kept" doc:"Whether there still is what it said, so that it can be handled again."`
	Received   time.Time  `json:"received"`
	Handled    *time.Time `json:"handled,omitempty"`
	Attempts   int        `json:"attempts"`
	Next       *time.Time `json:"next,omitempty" doc:"When it is tried again."`
	Outcome    string     `json:"outcome,omitempty"`
	Repeats    int        `json:"repeats" doc:"How often it came again."`
	Repeated   *time.Time `json:"repeated,omitempty"`
}

// DeliveryPayload is what a delivery said.
type DeliveryPayload struct {
	Headers map[string]string `json:"headers" doc:"Those that say what it is; none that signs or opens something."`
	JSON    json.RawMessage   `json:"json,omitempty" doc:"The body, when it is JSON of at most a megabyte."`
	Text    string            `json:"text,omitempty" doc:"The body otherwise, or its beginning."`
	Cut     bool              `json:"cut" doc:"There is more of it."`
}

// Webhook is how an integration's forge tells of what happens, and what came of that.
type Webhook struct {
	URL     string     `json:"url" doc:"To which the forge sends."`
	Last    *time.Time `json:"last,omitempty" doc:"Delivery that was taken."`
	Waiting int        `json:"waiting" doc:"Deliveries that are not handled yet."`
	Refused Refusals   `json:"refused"`
	Can     []string   `json:"can" doc:"What the caller may do: register, redeliver, payload."`
}

// Refusals are deliveries that were not signed with the webhook's secret.
type Refusals struct {
	Count  int64      `json:"count"`
	Last   *time.Time `json:"last,omitempty"`
	Reason string     `json:"reason,omitempty"`
	Client string     `json:"client,omitempty" doc:"Address that the last one came from."`
}

// RegisteredWebhook is a webhook that a forge was given.
type RegisteredWebhook struct {
	ID     string   `json:"id"`
	URL    string   `json:"url"`
	Kinds  []string `json:"kinds"`
	Active bool     `json:"active"`
}
