package providers

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/provider"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Sealer makes passes that nobody else can make or read; core/secret does.
type Sealer interface {
	Seal(plain []byte) ([]byte, error)
	Open(sealed []byte) ([]byte, error)
}

// A pass opens the archives of one provider for a while. It holds the token that asked for it, sealed, which has to be
// good still when the pass is used.
type pass struct {
	Purpose  string `json:"purpose"`
	Provider string `json:"provider"`
	Until    int64  `json:"until"`
	Token    string `json:"token"`
}

const (
	purpose  = "provider archives"
	passTime = time.Hour // within which an engine fetches all that it has asked for
)

// pass gives what comes before the name of an archive in its address; "" where a browser asks, which needs none.
func (h *Handler) pass(r *http.Request, n provider.Name) (string, error) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return "", nil
	}
	plain, err := json.Marshal(pass{purpose, n.String(), h.Now().Add(passTime).Unix(), strings.TrimSpace(token)})
	if err == nil {
		plain, err = h.Seal.Seal(plain)
	}
	return base64.RawURLEncoding.EncodeToString(plain) + "/", fault.Wrap(err, "seal a pass")
}

// admit gives who asked for a pass.
func (h *Handler) admit(ctx context.Context, sealed string, n provider.Name) (context.Context, error) {
	var p pass
	raw, err := base64.RawURLEncoding.Strict().DecodeString(sealed)
	if err == nil {
		raw, err = h.Seal.Open(raw)
	}
	if err == nil {
		err = json.Unmarshal(raw, &p)
	}
	switch {
	case err != nil || p.Purpose != purpose || p.Provider != n.String():
		return ctx, fault.Errorf(fault.NotFound, "the address is not one of this server; ask for it again")
	case h.Now().Unix() >= p.Until:
		return ctx, fault.Errorf(fault.NotFound, "the address has ended; ask for it again")
	}
	who, err := h.Authenticate(ctx, p.Token)
	return actor.With(ctx, who), err
}
