package hook

import (
	"context"
	"net/http"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
)

// BodyLimit is how large a delivery may be, in bytes. GitHub sends no larger ones.
const BodyLimit = 25 << 20

// States of a delivery.
const (
	Received = "received" // it waits to be handled
	Done     = "done"
	Ignored  = "ignored" // nothing follows such events
	Failed   = "failed"  // for good; a person may have it handled again
)

// Delivery is one message of a forge.
type Delivery struct {
	Number      int64 // of all deliveries, the later the higher
	Integration string
	ID          string // the forge's own; made of the body when it has none
	State       string
	Kind        forge.Kind // "" until it has been read
	Name        string     // in the forge's words
	Repository  string     // OWNER/NAME
	Sender      string     // login
	Size        int64      // bytes of the body
	Kept        bool       // whether there is a payload still
	Received    time.Time
	Attempts    int
	Due         time.Time // of the next attempt, when an earlier one failed
	Handled     time.Time // when it came into its state
	Outcome     string
	Repeats     int // how often it came again
	Repeated    time.Time

	lane   string
	rounds int64
}

// Payload is what a delivery said.
type Payload struct {
	Headers http.Header // those that say what it is; none that signs or opens something
	Body    []byte
}

// Query narrows a list of deliveries; empty fields narrow nothing.
type Query struct {
	State string
	Kind  string
}

// Traffic is what comes for an integration.
type Traffic struct {
	Last    time.Time // delivery that was taken
	Waiting int
	Refused Refusals
}

// Refusals are deliveries that were not signed as they have to be.
type Refusals struct {
	Count  int64
	Last   time.Time
	Reason string
	Client string // address that the last one came from
}

// Incoming is a request that says it is a delivery.
type Incoming struct {
	Integration string
	Header      http.Header
	Body        []byte
	Client      string
}

// Receipt tells what became of a delivery.
type Receipt struct {
	Number int64
	Known  bool // it was there already
}

// Handler is a room's that something follows of events in. It is called with the events of one repository one after the
// other, in the order in which they came, and may be called with one several times; it does what has to be done before
// it returns, or has written down that it has to be. outcome is a sentence about what followed; "" when nothing did,
// since the repository or the proposal is none of the room's. What the event tells may be old, or be told again by
// somebody else: it is a reason to look, and no more.
type Handler interface {
	Handle(ctx context.Context, integration string, e forge.Event) (outcome string, err error)
}

// Sources is what this room asks of the integrations, in the platform's name.
type Sources interface {
	// Hooks gives what reads the deliveries of an integration, and the secrets of which one signs them; NotFound when there
	// is no such integration.
	Hooks(ctx context.Context, integration string) (forge.Hooks, []string, error)
	// SpaceOf gives the space of an integration; NotFound when there is none.
	SpaceOf(ctx context.Context, integration string) (string, error)
	// Forge gives the forge of an integration, with its credentials.
	Forge(ctx context.Context, integration string) (forge.Forge, error)
	// HookSecret gives the secret that webhooks are to be signed with. It is made when there is none.
	HookSecret(ctx context.Context, integration string) (string, error)
}
