package tfe

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// A pass opens one thing for a while to who has no token with it: clients send archives and states, and read logs, by
// links alone. It holds the token that asked for it, sealed, which has to be good still when the pass is used.
type pass struct {
	Purpose string `json:"purpose"`
	ID      string `json:"id"`
	Until   int64  `json:"until"`
	Token   string `json:"token"`
}

// Purposes of passes.
const (
	toUpload = "tfe configuration"
	toLog    = "tfe log"
	toState  = "tfe state"
)

// How long passes are good.
const (
	uploadTime = 15 * time.Minute
	logTime    = 24 * time.Hour // of a run, which may wait for a person
)

// link gives the address of something, with a pass in its path: clients replace the query.
func (h *Handler) link(r *http.Request, path, purpose, id string, long time.Duration) (any, error) {
	token := tokenOf(r)
	if token == "" { // a browser, which needs no link
		return nil, nil
	}
	plain, err := json.Marshal(pass{purpose, id, h.Now().Add(long).Unix(), token})
	if err == nil {
		plain, err = h.Seal.Seal(plain)
	}
	if err != nil {
		return nil, fault.Wrap(err, "seal a pass")
	}
	return h.Base(r.Context()) + Prefix + path + "/" + base64.RawURLEncoding.EncodeToString(plain), nil
}

// admit gives what a pass of that purpose opens, and who asked for it.
func (h *Handler) admit(ctx context.Context, sealed, purpose string) (context.Context, string, error) {
	var p pass
	raw, err := base64.RawURLEncoding.Strict().DecodeString(sealed)
	if err == nil {
		raw, err = h.Seal.Open(raw)
	}
	if err == nil {
		err = json.Unmarshal(raw, &p)
	}
	switch {
	case err != nil || p.Purpose != purpose:
		return ctx, "", fault.Errorf(fault.NotFound, "the link is not one of this server; ask for it again")
	case h.Now().Unix() >= p.Until:
		return ctx, "", fault.Errorf(fault.NotFound, "the link has ended; ask for it again")
	}
	who, err := h.Identity.Authenticate(ctx, p.Token)
	return actor.With(ctx, who), p.ID, err
}

func tokenOf(r *http.Request) string {
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return strings.TrimSpace(token)
	}
	_, password, _ := r.BasicAuth()
	return password
}
