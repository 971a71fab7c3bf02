package client

import (
	"encoding/json"
	"time"
)

// Entry is one change, as the ledger keeps it; positions are without gaps and without end. GET /ledger, and live GET
// /ledger/events (ledger:read). Hash, in hex, chains it to all before it.
type Entry struct {
	Position int64           `json:"position"`
	ID       string          `json:"id"`
	Time     time.Time       `json:"time"`
	Actor    Actor           `json:"actor"`
	Space    string          `json:"space,omitempty"`
	Type     string          `json:"type" example:"run.state-changed"`
	Subject  string          `json:"subject"`
	Refs     []string        `json:"refs,omitempty"`
	Run      string          `json:"run,omitempty"`
	Cause    string          `json:"cause,omitempty"`
	Data     json.RawMessage `json:"data,omitempty"`
	Hash     string          `json:"hash"`
}

// Verification is what a look at the whole chain found; it reads all of it. GET /ledger/verify (ledger:verify in the root
// space). `roadbed audit verify` needs to trust no server.
type Verification struct {
	Entries  int64  `json:"entries"`
	Head     int64  `json:"head"`
	HeadHash string `json:"headHash"`
	Whole    bool   `json:"whole"`
	BrokenAt int64  `json:"brokenAt,omitempty"`
	Why      string `json:"why,omitempty"`
}
