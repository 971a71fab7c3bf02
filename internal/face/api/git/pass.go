package git

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

// Sealer keeps what only this server reads again.
type Sealer interface {
	Seal(plain []byte) ([]byte, error)
	Open(sealed []byte) ([]byte, error)
}

const passPrefix = "rblfs_"

// pass opens one address for a while, for who was let in with a token. It holds the token, sealed, which has to be good
// still when the pass is used: whoever loses it, loses the pass.
type pass struct {
	Purpose string `json:"purpose"`
	Method  string `json:"method"`
	Path    string `json:"path"`
	Until   int64  `json:"until"`
	Token   string `json:"token"`
}

// pass gives one for an address; "" when the request came without a token, and the client has to show again who it is.
func (h *Handler) pass(r *http.Request, method, path string) string {
	token := tokenOf(r)
	if token == "" || h.Seal == nil {
		return ""
	}
	plain, err := json.Marshal(pass{passPrefix, method, path, time.Now().Add(lfsLinkTime).Unix(), token})
	if err == nil {
		plain, err = h.Seal.Seal(plain)
	}
	if err != nil {
		h.Log.ErrorContext(r.Context(), "seal the pass of a file of Git LFS", "error", err)
		return ""
	}
	return passPrefix + base64.RawURLEncoding.EncodeToString(plain)
}

// admit gives who comes with a token, or with a pass for what is asked.
func (h *Handler) admit(ctx context.Context, r *http.Request, token string) (actor.Principal, error) {
	sealed, isPass := strings.CutPrefix(token, passPrefix)
	if !isPass || h.Seal == nil {
		return h.Authenticate(ctx, token)
	}
	var p pass
	raw, err := base64.RawURLEncoding.Strict().DecodeString(sealed)
	if err == nil {
		raw, err = h.Seal.Open(raw)
	}
	if err == nil {
		err = json.Unmarshal(raw, &p)
	}
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	switch {
	case err != nil || p.Purpose != passPrefix || p.Method != method || p.Path != r.URL.Path:
		return actor.Principal{}, fault.Errorf(fault.Unauthenticated, "the link is not one of this server for this file; ask for it again")
	case time.Now().Unix() >= p.Until:
		return actor.Principal{}, fault.Errorf(fault.Unauthenticated, "the link to the file has ended; ask for it again")
	}
	return h.Authenticate(ctx, p.Token)
}

// tokenOf gives the token that a request comes with; "" when it has none.
func tokenOf(r *http.Request) string {
	user, token, basic := r.BasicAuth()
	if basic {
		if token == "" {
			return user
		}
		return token
	}
	scheme, credentials, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "bearer") {
		return ""
	}
	return strings.TrimSpace(credentials)
}
