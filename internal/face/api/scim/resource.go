package scim

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/elimity-com/scim/schema"

	"github.com/roadbed-dev/roadbed/internal/product/directory"
)

// Bounds of one resource.
const (
	mostValues = 100  // of a list, save members
	mostText   = 4096 // bytes of one text
)

// neverKept are attributes that are passed over wherever they stand: what this server gives, and secrets.
var neverKept = []string{"id", "meta", "schemas", "groups", "password"}

// cleaned gives the attributes of a resource that are known, by the names that their schema has for them, each of the type that
// it has there.
func cleaned(kind string, body map[string]any) (map[string]any, error) {
	known := attributesOf(kind)
	out := map[string]any{}
	for key, value := range body {
		if kind == directory.User && strings.EqualFold(key, enterprise) {
			extension, ok := value.(map[string]any)
			if !ok {
				continue
			}
			inner, err := cleanedBy(schema.ExtensionEnterpriseUser().Attributes, extension)
			if err != nil {
				return nil, err
			}
			if len(inner) > 0 {
				out[enterprise] = inner
			}
			continue
		}
		if strings.EqualFold(key, "externalId") {
			text, ok := value.(string)
			if value != nil && !ok {
				return nil, wrong(invalidValue, "externalId is not text")
			}
			out["externalId"] = text
			continue
		}
		if err := clean(known, out, key, value); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func cleanedBy(known schema.Attributes, body map[string]any) (map[string]any, error) {
	out := map[string]any{}
	for key, value := range body {
		if err := clean(known, out, key, value); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// clean puts one attribute where its name is known, and something is left of it.
func clean(known schema.Attributes, out map[string]any, key string, value any) error {
	a, ok := find(known, bare(key))
	if !ok || kept(a.Name()) {
		return nil
	}
	v, err := valueOf(a, value)
	if err == nil && v != nil {
		out[a.Name()] = v
	}
	return err
}

func kept(name string) bool {
	return slices.ContainsFunc(neverKept, func(other string) bool { return strings.EqualFold(other, name) })
}

// bare gives the name of an attribute without the schema that it is of.
func bare(name string) string {
	for _, s := range []string{userSchema, groupSchema, enterprise} {
		if len(name) > len(s) && strings.EqualFold(name[:len(s)], s) && name[len(s)] == ':' {
			return name[len(s)+1:]
		}
	}
	return name
}

func find(known schema.Attributes, name string) (schema.CoreAttribute, bool) {
	for _, a := range known {
		if strings.EqualFold(a.Name(), name) {
			return a, true
		}
	}
	return schema.CoreAttribute{}, false
}

// valueOf gives a value of the type of an attribute; nil when nothing is left of it. One value stands for a list of it.
func valueOf(a schema.CoreAttribute, value any) (any, error) {
	if value == nil {
		return nil, nil //nolint:nilnil // which is what the value is
	}
	if !a.MultiValued() {
		return single(a, value)
	}
	list, ok := value.([]any)
	if !ok {
		list = []any{value}
	}
	if len(list) > mostValues && a.Name() != "members" || len(list) > directory.MostMembers {
		return nil, wrong(tooMany, "%s has %d values; at most %d are taken", a.Name(), len(list), mostValues)
	}
	out := make([]any, 0, len(list))
	for _, item := range list {
		v, err := single(a, item)
		if err != nil {
			return nil, err
		}
		if v != nil {
			out = append(out, v)
		}
	}
	if len(out) == 0 && a.Name() != "members" {
		return nil, nil //nolint:nilnil // which is what the value is
	}
	return out, nil
}

func single(a schema.CoreAttribute, value any) (any, error) {
	switch a.AttributeType() {
	case "complex":
		m, ok := value.(map[string]any)
		if !ok {
			if text, is := value.(string); is && text != "" { // Entra sends a manager as a text
				m, ok = map[string]any{"value": text}, true
			}
		}
		if value == nil || value == "" {
			return nil, nil //nolint:nilnil // which is what the value is
		}
		if !ok {
			return nil, wrong(invalidValue, "%s is not an object", a.Name())
		}
		out, err := cleanedBy(a.SubAttributes(), m)
		if err != nil || len(out) == 0 {
			return nil, err
		}
		return out, nil
	case "boolean":
		return boolean(a.Name(), value)
	case "integer", "decimal":
		n, ok := value.(float64)
		if !ok {
			return nil, wrong(invalidValue, "%s is not a number", a.Name())
		}
		return n, nil
	}
	return text(a.Name(), value)
}

// boolean takes truth as a text, as Entra sends it.
func boolean(name string, value any) (any, error) {
	switch v := value.(type) {
	case bool:
		return v, nil
	case string:
		if b, err := strconv.ParseBool(strings.ToLower(v)); err == nil {
			return b, nil
		}
	case nil:
		return nil, nil //nolint:nilnil // which is what the value is
	}
	return nil, wrong(invalidValue, "%s is neither true nor false", name)
}

func text(name string, value any) (any, error) {
	switch v := value.(type) {
	case nil:
		return nil, nil //nolint:nilnil // which is what the value is
	case string:
		if len(v) > mostText {
			return nil, wrong(invalidValue, "%s has %d bytes; at most %d are taken", name, len(v), mostText)
		}
		if v == "" {
			return nil, nil //nolint:nilnil // which is what the value is
		}
		if strings.Contains(v, "\x00") { // from within a filter
			return nil, wrong(invalidValue, "%s holds a NUL character (U+0000), which no text here may hold", name)
		}
		return v, nil
	case float64, bool:
		raw, err := json.Marshal(v)
		return string(raw), err
	}
	return nil, wrong(invalidValue, "%s is not text", name)
}

// sentOf gives what clean attributes, members among them, say of a resource. Who is not said to be away is active.
func sentOf(kind string, attributes map[string]any) (directory.Sent, error) {
	in := directory.Sent{Active: true, Attributes: maps.Clone(attributes)}
	name := "userName"
	if kind == directory.Group {
		name = "displayName"
	}
	in.Label, _ = attributes[name].(string)
	if in.Label = strings.TrimSpace(in.Label); in.Label == "" {
		return in, wrong(invalidValue, "%s is missing", name)
	}
	in.ExternalID, _ = attributes["externalId"].(string)
	delete(in.Attributes, "externalId")
	if active, said := attributes["active"].(bool); said {
		in.Active = active
	}
	if kind == directory.User {
		in.Attributes["active"] = in.Active
		return in, nil
	}
	members, said := attributes["members"].([]any)
	delete(in.Attributes, "members")
	if !said {
		return in, nil
	}
	in.Members = []string{}
	for _, m := range members {
		one, _ := m.(map[string]any)
		id, _ := one["value"].(string)
		if id == "" {
			return in, wrong(invalidValue, "a member has no value")
		}
		in.Members = append(in.Members, id)
	}
	return in, nil
}

// wire gives a resource as it is sent.
func (c call) wire(r directory.Resource) map[string]any {
	out := maps.Clone(r.Attributes)
	if out == nil {
		out = map[string]any{}
	}
	schemas := schemasOf(r.Kind)
	if _, has := out[enterprise]; has {
		schemas = append(schemas, enterprise)
	}
	out["schemas"], out["id"] = schemas, r.ID
	if r.ExternalID != "" {
		out["externalId"] = r.ExternalID
	}
	if r.Kind == directory.User {
		out["active"] = r.Active
		if len(r.Groups) > 0 {
			out["groups"] = c.memberships(r.Groups, false)
		}
	} else if r.Members != nil {
		out["members"] = c.memberships(r.Members, true)
	}
	out["meta"] = map[string]any{
		"resourceType": r.Kind, "created": r.Created.UTC().Format(time.RFC3339), "lastModified": r.Changed.UTC().Format(time.RFC3339),
		"location": c.location(r.Kind, r.ID), "version": tag(r),
	}
	return out
}

func (c call) memberships(all []directory.Member, members bool) []any {
	out := make([]any, len(all))
	for i, m := range all {
		kind := m.Kind
		if !members {
			kind = "direct"
		}
		out[i] = map[string]any{"value": m.ID, "display": m.Display, "type": kind, "$ref": c.location(m.Kind, m.ID)}
	}
	return out
}

// chosen leaves of a resource what is asked for. What identifies it is always there.
func chosen(r map[string]any, attributes, excluded []string) map[string]any {
	keep := func(key string) bool {
		if key == "id" || key == "schemas" {
			return true
		}
		named := func(name string) bool {
			name = bare(name)
			top, _, _ := strings.Cut(name, ".")
			return strings.EqualFold(name, key) || strings.EqualFold(top, key) && len(attributes) > 0 || key == enterprise && strings.HasPrefix(strings.ToLower(name), strings.ToLower(enterprise))
		}
		if len(attributes) > 0 {
			return slices.ContainsFunc(attributes, func(name string) bool {
				return named(name) || key == enterprise && inExtension(name)
			})
		}
		return !slices.ContainsFunc(excluded, named)
	}
	maps.DeleteFunc(r, func(key string, _ any) bool { return !keep(key) })
	return r
}

func inExtension(name string) bool {
	return len(name) >= len(enterprise) && strings.EqualFold(name[:len(enterprise)], enterprise)
}
