package definition

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Need is something by which a client shows who it is.
type Need struct {
	Kind   string   // the same for all that a client does alike: "API key in the header X-Key"
	Flows  []string // of OAuth, with their addresses
	Scopes []string
}

// String gives it for people.
func (n Need) String() string {
	text := n.Kind
	if len(n.Flows) > 0 {
		text += " (" + strings.Join(n.Flows, ", ") + ")"
	}
	if len(n.Scopes) > 0 {
		text += " with " + strings.Join(n.Scopes, ", ")
	}
	return text
}

// serves tells whether a client that meets one need meets another.
func (n Need) serves(other Need) bool {
	return n.Kind == other.Kind && len(without(n.Flows, other.Flows)) == 0 && len(without(other.Scopes, n.Scopes)) == 0
}

// Needs are all of what a client must have at once; none is everybody.
type Needs []Need

// String gives them for people.
func (all Needs) String() string {
	if len(all) == 0 {
		return "none"
	}
	var parts []string
	for _, n := range all {
		parts = append(parts, n.String())
	}
	return strings.Join(parts, " and ")
}

func ways(security []Needs) string {
	var parts []string
	for _, n := range security {
		parts = append(parts, n.String())
	}
	return cmp.Or(strings.Join(parts, ", or "), Needs(nil).String())
}

// shut tells whether there is a way into one that is none into the other.
func shut(before, after []Needs) bool {
	if len(before) == 0 {
		before = []Needs{nil}
	}
	for _, has := range before {
		open := len(after) == 0 || slices.ContainsFunc(after, func(needs Needs) bool {
			return !slices.ContainsFunc(needs, func(n Need) bool {
				return !slices.ContainsFunc(has, func(h Need) bool { return h.serves(n) })
			})
		})
		if !open {
			return true
		}
	}
	return false
}

// security reads what is asked for, of which one is enough: names of schemes with scopes, or (AsyncAPI 3) the schemes themselves.
func (t *tree) security(v any, schemes map[string]any) (ways []Needs) {
	for _, way := range array(v) {
		if len(ways) >= maxAlternatives || !t.field() {
			break
		}
		var needs Needs
		if m := object(way); m["$ref"] != nil || m["type"] != nil {
			scheme, name := t.resolve(m)
			needs = Needs{t.need(name, scheme, scheme["scopes"])}
		} else {
			for _, name := range keys(m) {
				if len(needs) >= maxAlternatives || !t.field() {
					break
				}
				scheme, _ := t.resolve(schemes[name])
				needs = append(needs, t.need(name, scheme, m[name]))
			}
		}
		ways = oneMore(ways, needs)
	}
	return ways
}

// oneMore adds a way that is not there yet, by whatever name.
func oneMore(ways []Needs, needs Needs) []Needs {
	if slices.ContainsFunc(ways, func(n Needs) bool { return n.String() == needs.String() }) {
		return ways
	}
	return append(ways, needs)
}

// flowNames are those of OpenAPI 2 that are others today.
var flowNames = map[string]string{"accessCode": "authorizationCode", "application": "clientCredentials"}

func (t *tree) need(name string, scheme map[string]any, scopes any) Need {
	n := Need{Kind: cut(name) + ", which is not declared"}
	in := strings.TrimSpace("API key in the " + str(scheme["in"]) + " " + str(scheme["name"]))
	switch kind := str(scheme["type"]); kind {
	case "":
	case "apiKey", "httpApiKey":
		n.Kind = cut(in)
	case "http":
		n.Kind = cut("HTTP " + strings.ToLower(str(scheme["scheme"])))
	case "basic":
		n.Kind = "HTTP basic"
	case "mutualTLS":
		n.Kind = "mutual TLS"
	case "openIdConnect":
		n.Kind = cut("OpenID Connect of " + str(scheme["openIdConnectUrl"]))
	case "oauth2":
		n.Kind = "OAuth 2"
		flows := object(scheme["flows"])
		if flow := str(scheme["flow"]); flow != "" {
			flows = map[string]any{cmp.Or(flowNames[flow], flow): scheme}
		}
		for _, flow := range keys(flows) {
			if t.field() {
				f := object(flows[flow])
				n.Flows = append(n.Flows, cut(strings.Join(strings.Fields(fmt.Sprint(flow, " ", str(f["authorizationUrl"]), " ", str(f["tokenUrl"]))), " ")))
			}
		}
	default:
		n.Kind = cut(kind)
	}
	for _, scope := range array(scopes) {
		if t.field() {
			n.Scopes = append(n.Scopes, cut(str(scope)))
		}
	}
	slices.Sort(n.Scopes)
	return n
}

func cut(text string) string {
	const most = 200
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}
