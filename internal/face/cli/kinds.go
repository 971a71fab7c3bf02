package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
)

func (s *state) kinds() *cobra.Command {
	return listing(s, "kinds", "Kinds of documents, the platform's and declared ones", cobra.NoArgs, whole, func([]string) (list[client.KindInfo], error) {
		return list[client.KindInfo]{
			path: "/kinds", head: "KIND\tAPI VERSION\tBY\tRESTRICTED\tDESCRIPTION",
			row: func(k client.KindInfo) []any {
				by, restricted := "roadbed", ""
				if k.Declared {
					by = "kind:default/" + strings.ToLower(k.Name)
				}
				if k.Restricted {
					restricted = "yes"
				}
				return []any{k.Name, strings.Join(k.APIVersions, ", "), by, restricted, k.Description}
			},
			noun: "kinds", next: "declare one with a document of the kind Kind",
		}, nil
	})
}
