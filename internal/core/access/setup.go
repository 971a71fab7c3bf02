package access

import (
	"cmp"
	"slices"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// FirstAdmin is the user that the first set-up makes administrator of everything.
func FirstAdmin() ref.Entity { return ref.New("user", "default", "admin") }

// FirstSetUp gives the documents that an empty installation starts with: the user admin, bound as administrator of
// the root space. They are applied in the root space, once.
func FirstSetUp() []document.Document {
	return []document.Document{
		{
			APIVersion: backstage, Kind: "User",
			Metadata: document.Metadata{Name: "admin", Namespace: "default", Title: "Administrator", Description: "The first administrator of this installation."},
			Spec:     map[string]any{"profile": map[string]any{"displayName": "Administrator"}, "memberOf": []any{}},
		},
		{
			APIVersion: ours, Kind: "RoleBinding",
			Metadata: document.Metadata{Name: "first-administrator", Namespace: "default", Description: "Made by the first set-up."},
			Spec:     map[string]any{"role": Admin, "space": Root, "subjects": []any{FirstAdmin().String()}},
		},
	}
}

// Sort brings documents of one apply into the order in which they can be written: spaces (parents first), roles,
// groups, users, all others as they came, and the bindings last. For deletions, walk it backwards.
func Sort(docs []document.Document) {
	parents := map[string]string{}
	for _, d := range docs {
		if d.Kind == "Space" {
			parent, _ := d.Spec["parent"].(string)
			parents[d.Ref().Name] = parent
		}
	}
	rank := func(d document.Document) int {
		switch d.Kind {
		case "Space":
			depth := 0
			for name := d.Ref().Name; parents[name] != "" && depth < maxDepth; depth++ {
				name = parents[name]
			}
			return depth
		case "Role":
			return maxDepth + 1
		case "Group":
			return maxDepth + 2
		case "User":
			return maxDepth + 3
		case "RoleBinding":
			return maxDepth + 5
		}
		return maxDepth + 4
	}
	slices.SortStableFunc(docs, func(a, b document.Document) int { return cmp.Compare(rank(a), rank(b)) })
}
