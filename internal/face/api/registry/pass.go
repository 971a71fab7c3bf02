package registry

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/product/registry"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// linkTime is how long a link is good.
const linkTime = 15 * time.Minute

// Parts of a version of a provider.
const (
	partArchive   = "archive"
	partSums      = "sums"
	partSignature = "signature"
)

// provider names an archive of a provider.
type provider struct{ Space, Type, OS, Arch string }

// pass is what a link is for. It holds the token that asked for it, sealed, which has to be good still when the link is used.
type pass struct {
	Module   *registry.Address `json:"module,omitempty"` // or
	Provider *provider         `json:"provider,omitempty"`
	Version  string            `json:"version"`
	Part     string            `json:"part,omitempty"`
	Until    int64             `json:"until"`
	Token    string            `json:"token"`
	Purpose  string            `json:"purpose"`
}

// purpose tells these links from others that the same key seals.
const purpose = "registry file"

// link gives the path of what a pass opens. Clients resolve it against the address of their request, by whatever way they came.
func (h *Handler) link(r *http.Request, p pass, name string) (string, error) {
	p.Token, p.Until, p.Purpose = tokenOf(r), h.Now().Add(linkTime).Unix(), purpose
	if p.Token == "" {
		return "", fault.Errorf(fault.Unauthenticated, "only who shows a token gets a link; a browser's session does not")
	}
	plain, err := json.Marshal(p)
	if err == nil {
		plain, err = h.Seal.Seal(plain)
	}
	return Files + base64.RawURLEncoding.EncodeToString(plain) + "/" + name, fault.Wrap(err, "seal a link")
}

// admit gives what a link is for, and who asked for it.
func (h *Handler) admit(ctx context.Context, sealed string) (context.Context, pass, error) {
	var p pass
	raw, err := base64.RawURLEncoding.Strict().DecodeString(sealed)
	if err == nil {
		raw, err = h.Seal.Open(raw)
	}
	if err == nil {
		err = json.Unmarshal(raw, &p)
	}
	switch {
	case err != nil || p.Purpose != purpose || (p.Module == nil) == (p.Provider == nil):
		return ctx, p, fault.Errorf(fault.NotFound, "the link is not one of this server; ask for it again")
	case h.Now().Unix() >= p.Until:
		return ctx, p, fault.Errorf(fault.NotFound, "the link has ended; ask for it again")
	}
	who, err := h.Identity.Authenticate(ctx, p.Token)
	return actor.With(ctx, who), p, err
}

func tokenOf(r *http.Request) string {
	if scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "bearer") {
		return strings.TrimSpace(token)
	}
	_, password, _ := r.BasicAuth()
	return password
}
