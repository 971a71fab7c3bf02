package definition

import (
	"cmp"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func parseAsyncAPI(text string) (Definition, error) {
	d := Definition{Format: AsyncAPI}
	t, err := readTree(text, &d)
	if err != nil {
		return d, err
	}
	d.Version = str(t.root["asyncapi"])
	if d.Version == "" {
		return d, fault.Errorf(fault.Invalid, "it is no AsyncAPI: it has no asyncapi")
	}
	t.types = []string{"#/components/schemas/"}
	t.about()
	a := asyncAPI{tree: t, schemes: object(object(t.root["components"])["securitySchemes"])}
	a.ofServers()
	channels := object(t.root["channels"])
	if strings.HasPrefix(d.Version, "3") {
		a.operations3(channels)
	} else {
		a.operations2(channels)
	}
	t.typesOf(object(object(t.root["components"])["schemas"]))
	return d, nil
}

type asyncAPI struct {
	*tree
	schemes map[string]any
	access  []Needs // of the servers
}

// ofServers reads where messages are, and what the servers ask for.
func (a *asyncAPI) ofServers() {
	servers := object(a.root["servers"])
	for _, name := range keys(servers) {
		s, _ := a.resolve(servers[name])
		a.d.Servers = append(a.d.Servers, cmp.Or(str(s["url"]), str(s["host"])+str(s["pathname"]))+" ("+name+")")
		access := a.security(s["security"], a.schemes)
		if len(access) == 0 {
			access = []Needs{nil}
		}
		a.access = append(a.access, access...)
	}
	a.access = a.access[:min(len(a.access), maxAlternatives)]
}

// needs gives what an operation asks for, beyond its servers.
func (a *asyncAPI) needs(op map[string]any) (all []Needs) {
	own, servers := a.security(op["security"], a.schemes), a.access
	if len(own) == 0 {
		own = []Needs{nil}
	}
	if len(servers) == 0 {
		servers = []Needs{nil}
	}
	for _, server := range servers {
		for _, needs := range own {
			if len(all) >= maxAlternatives || !a.field() {
				break
			}
			both := slices.Concat(server, needs)
			for _, n := range both {
				a.fields += 1 + len(n.Flows) + len(n.Scopes)
			}
			all = oneMore(all, both)
		}
	}
	if len(all) == 1 && len(all[0]) == 0 {
		return nil
	}
	return all
}

// parameters reads those of a channel's address, which whoever uses it fills in.
func (a *asyncAPI) parameters(channel map[string]any) (fields []Field) {
	all := object(channel["parameters"])
	for _, name := range keys(all) {
		p, _ := a.resolve(all[name])
		if !a.field() {
			break
		}
		schema := p["schema"]
		if schema == nil { // version 3
			schema = map[string]any{"type": "string", "enum": p["enum"], "default": p["default"]}
		}
		f := a.schema(schema, 1)
		f.Name, f.In, f.Required, f.Description = name, "path", true, cmp.Or(str(p["description"]), f.Description)
		fields = append(fields, f)
	}
	return fields
}

// operations2 reads the channels of version 2: what is published is given to the application, what is subscribed to is got.
func (a *asyncAPI) operations2(channels map[string]any) {
	for _, name := range keys(channels) {
		channel, _ := a.resolve(channels[name])
		for _, verb := range []string{"publish", "subscribe"} {
			op := object(channel[verb])
			if op == nil {
				continue
			}
			messages := []message{{"", op["message"]}}
			if several := array(object(op["message"])["oneOf"]); several != nil {
				messages = unnamed(several)
			}
			a.messages(Operation{
				ID: verb + " " + name, Group: name, Verb: verb, Name: name, Summary: str(op["summary"]),
				Description: cmp.Or(str(op["description"]), str(channel["description"])), Deprecated: truth(op["deprecated"]),
				Security: a.needs(op), Inputs: a.parameters(channel),
			}, messages, nil, verb == "publish")
		}
	}
}

// operations3 reads the operations of version 3, whose messages are those of their channel unless they name some.
func (a *asyncAPI) operations3(channels map[string]any) {
	operations := object(a.root["operations"])
	for _, name := range keys(operations) {
		op, _ := a.resolve(operations[name])
		channel, key := a.resolve(op["channel"])
		address := cmp.Or(str(channel["address"]), key)
		messages := a.messagesOf(op)
		verb := str(op["action"])
		reply, _ := a.resolve(op["reply"])
		a.messages(Operation{
			Security: a.needs(op), Inputs: a.parameters(channel),
			ID: name, Group: address, Verb: verb, Name: name, Summary: cmp.Or(str(op["summary"]), str(op["title"])), Description: str(op["description"]),
		}, messages, a.messagesOf(reply), verb == "receive")
	}
	if len(operations) > 0 {
		return
	}
	for _, name := range keys(channels) {
		channel, _ := a.resolve(channels[name])
		a.messages(Operation{ID: name, Group: cmp.Or(str(channel["address"]), name), Verb: "channel", Name: name, Description: str(channel["description"]), Security: a.needs(nil), Inputs: a.parameters(channel)}, a.messagesOf(map[string]any{"channel": channel}), nil, false)
	}
}

// message is one of a channel, by its name there.
type message struct {
	key   string
	value any
}

func unnamed(list []any) (messages []message) {
	for _, m := range list {
		messages = append(messages, message{"", m})
	}
	return messages
}

// messagesOf gives those that an operation or a reply names, or all of its channel.
func (a *asyncAPI) messagesOf(op map[string]any) (messages []message) {
	if own := array(op["messages"]); len(own) > 0 {
		return unnamed(own)
	}
	channel, _ := a.resolve(op["channel"])
	all := object(channel["messages"])
	for _, key := range keys(all) {
		messages = append(messages, message{key, all[key]})
	}
	return messages
}

func (a *asyncAPI) messages(o Operation, messages, replies []message, given bool) {
	for i, m := range slices.Concat(messages, replies) {
		message, key := a.resolve(m.value)
		key = cmp.Or(m.key, key)
		if message == nil || !a.field() {
			continue
		}
		payload := message["payload"]
		if inner := object(object(payload)["schema"]); inner != nil && object(payload)["schemaFormat"] != nil {
			payload = inner
		}
		f := a.schema(payload, 1)
		f.Name, f.In = cmp.Or(str(message["name"]), key, str(message["title"]), "message"), "message"
		f.Description = cmp.Or(str(message["summary"]), str(message["description"]), f.Description)
		f.Fields = slices.Clone(f.Fields)
		if headers := message["headers"]; headers != nil && a.field() {
			h := a.schema(headers, 1)
			h.Name, h.In, h.Required = "headers", "header", slices.ContainsFunc(h.Fields, func(f Field) bool { return f.Required })
			f.Fields = append(f.Fields, h)
		}
		if media := cmp.Or(str(message["contentType"]), str(a.root["defaultContentType"])); media != "" && a.field() {
			f.Fields = append(f.Fields, Field{Name: "contentType", In: "header", Type: media})
		}
		if given == (i < len(messages)) {
			f.Required = true
			o.Inputs = append(o.Inputs, f)
		} else {
			o.Outputs = append(o.Outputs, f)
		}
	}
	slices.SortFunc(o.Inputs, func(a, b Field) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(o.Outputs, func(a, b Field) int { return strings.Compare(a.Name, b.Name) })
	a.operation(o)
}
