package tfe

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/product/stack"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

func (h *Handler) resourceRoutes() {
	h.handle("workspaces/{workspace}/resources", h.listResources)
}

// mostResources bounds how many of a workspace are listed.
const mostResources = 10_000

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
	var all []object
	for part := (page.Request{Limit: page.Most}); ; {
		some, err := h.Stacks.Resources(r.Context(), stack.ResourceQuery{Stack: ws.Ref.String()}, part)
		if err != nil {
			return err
		}
		for _, x := range some.Items {
			all = append(all, wireResource(x))
		}
		if len(all) > mostResources {
			return fault.Errorf(fault.TooLarge, "the workspace manages more than %d resources; list them by `roadbed resource list`", mostResources)
		}
		if part.Cursor = some.Next; part.Cursor == "" {
			break
		}
	}
	p := pagingOf(r)
	return many(w, p, len(all), cut(all, p))
}
