package tfe

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/product/stack"
)

func (h *Handler) resourceRoutes() {
	h.handle("workspaces/{workspace}/resources", h.listResources)
}

// wireResource gives a resource under management. Clients know modules without the word before each.
func wireResource(x stack.Resource) object {
	module := strings.ReplaceAll(strings.TrimPrefix(x.Module, "module."), ".module.", ".")
	address := strings.TrimPrefix(strings.TrimPrefix(x.Address, x.Module), ".")
	if module == "" {
		module = "root"
	} else {
		address = module + "." + address
	}
	var index any
	if at := strings.LastIndexByte(x.Address, '['); at > 0 && strings.HasSuffix(x.Address, "]") {
		index = strings.Trim(x.Address[at:], `[]"`)
	}
	sum := sha256.Sum256([]byte(x.Stack.String() + "\x00" + x.Address))
	return resource("resources", "wsr-"+hex.EncodeToString(sum[:12]), object{
		"address": address, "name": x.Name, "module": module, "provider": x.Provider, "provider-type": x.Type, "name-index": index,
		"created-at": moment(x.Seen), "updated-at": moment(x.Changed), "modified-by-state-version-id": nil,
	}, nil)
}

func (h *Handler) listResources(w http.ResponseWriter, r *http.Request) error {
	ws, err := h.asked(r)
	if err != nil {
		return err
	}
	p := pagingOf(r)
	list, total, err := h.Stacks.ResourcesPart(r.Context(), ws.Ref, p.place())
	if err != nil {
		return err
	}
	var all []object
	for _, x := range list {
		all = append(all, wireResource(x))
	}
	return many(w, p, total, all)
}
