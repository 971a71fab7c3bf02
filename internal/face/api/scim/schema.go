package scim

import (
	"net/http"
	"slices"
	"strings"

	"github.com/elimity-com/scim/schema"

	"github.com/roadbed-dev/roadbed/internal/product/directory"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

const (
	userSchema  = "urn:ietf:params:scim:schemas:core:2.0:User"
	groupSchema = "urn:ietf:params:scim:schemas:core:2.0:Group"
	enterprise  = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
)

// attributesOf gives what a kind of resources can have.
func attributesOf(kind string) schema.Attributes {
	if kind == directory.Group {
		return schema.CoreGroupSchema().Attributes
	}
	return schema.CoreUserSchema().Attributes
}

func schemasOf(kind string) []string {
	if kind == directory.Group {
		return []string{groupSchema}
	}
	return []string{userSchema}
}

// describe answers what there is to know of this server.
func (c call) describe(endpoint, which string) error {
	base := c.Base + Prefix + c.directory
	var all []map[string]any
	switch endpoint {
	case "ServiceProviderConfig":
		write(c.w, http.StatusOK, provider(base))
		return nil
	case "Schemas":
		for _, s := range []schema.Schema{schema.CoreUserSchema(), schema.CoreGroupSchema(), schema.ExtensionEnterpriseUser()} {
			m := s.ToMap()
			m["meta"] = map[string]any{"resourceType": "Schema", "location": base + "/Schemas/" + s.ID}
			all = append(all, m)
		}
	case "ResourceTypes":
		all = resourceTypes(base)
	default:
		return noEndpoint()
	}
	if which == "" {
		write(c.w, http.StatusOK, map[string]any{
			"schemas":      []string{"urn:ietf:params:scim:api:messages:2.0:ListResponse"},
			"totalResults": len(all), "startIndex": 1, "itemsPerPage": len(all), "Resources": all,
		})
		return nil
	}
	at := slices.IndexFunc(all, func(m map[string]any) bool { id, _ := m["id"].(string); return strings.EqualFold(id, which) })
	if at < 0 {
		return fault.Errorf(fault.NotFound, "%s has no %.100q", endpoint, which)
	}
	write(c.w, http.StatusOK, all[at])
	return nil
}

func provider(base string) map[string]any {
	no := map[string]any{"supported": false}
	return map[string]any{
		"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"},
		"patch":   map[string]any{"supported": true},
		"bulk":    map[string]any{"supported": false, "maxOperations": 0, "maxPayloadSize": 0},
		"filter":  map[string]any{"supported": true, "maxResults": mostPage},
		"sort":    no, "changePassword": no, "etag": map[string]any{"supported": true},
		"authenticationSchemes": []any{map[string]any{
			"type": "oauthbearertoken", "name": "Token", "description": "A token of this server, as Authorization: Bearer", "specUri": "https://www.rfc-editor.org/info/rfc6750", "primary": true,
		}},
		"meta": map[string]any{"resourceType": "ServiceProviderConfig", "location": base + "/ServiceProviderConfig"},
	}
}

func resourceTypes(base string) []map[string]any {
	of := func(name, id string, extensions ...any) map[string]any {
		return map[string]any{
			"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:ResourceType"}, "id": name, "name": name, "endpoint": "/" + name + "s", "schema": id,
			"description": name, "schemaExtensions": extensions, "meta": map[string]any{"resourceType": "ResourceType", "location": base + "/ResourceTypes/" + name},
		}
	}
	group := of(directory.Group, groupSchema)
	group["schemaExtensions"] = []any{}
	return []map[string]any{of(directory.User, userSchema, map[string]any{"schema": enterprise, "required": false}), group}
}
