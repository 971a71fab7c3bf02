package definition

import (
	"cmp"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

var methods = []string{"get", "put", "post", "delete", "options", "head", "patch", "trace"}

func parseOpenAPI(text string) (Definition, error) {
	d := Definition{Format: OpenAPI}
	t, err := readTree(text, &d)
	if err != nil {
		return d, err
	}
	d.Version = cmp.Or(str(t.root["openapi"]), str(t.root["swagger"]))
	if d.Version == "" || t.root["paths"] == nil && t.root["webhooks"] == nil && t.root["components"] == nil && t.root["definitions"] == nil {
		return d, fault.Errorf(fault.Invalid, "it is no OpenAPI: it has no openapi (or swagger) and paths")
	}
	t.types = []string{"#/components/schemas/", "#/definitions/"}
	t.about()
	if host := str(t.root["host"]); host != "" {
		d.Servers = append(d.Servers, host+str(t.root["basePath"]))
	}
	for _, s := range array(t.root["servers"]) {
		d.Servers = append(d.Servers, str(object(s)["url"]))
	}
	o := openAPI{t, strings.HasPrefix(d.Version, "2")}
	o.paths("", object(t.root["paths"]))
	o.paths("webhook ", object(t.root["webhooks"]))
	t.typesOf(object(object(t.root["components"])["schemas"]))
	t.typesOf(object(t.root["definitions"]))
	return d, nil
}

// about reads what a document says of the API as a whole.
func (t *tree) about() {
	info := object(t.root["info"])
	t.d.Title, t.d.Release, t.d.Description = str(info["title"]), str(info["version"]), str(info["description"])
}

type openAPI struct {
	*tree
	two bool // version 2
}

func (o openAPI) paths(prefix string, paths map[string]any) {
	for _, name := range keys(paths) {
		item, _ := o.resolve(paths[name])
		for _, method := range methods {
			if op := object(item[method]); op != nil {
				o.request(prefix, name, method, item, op)
			}
		}
	}
}

func (o openAPI) request(prefix, name, method string, item, op map[string]any) {
	out := Operation{
		ID: prefix + strings.ToUpper(method) + " " + name, Verb: strings.ToUpper(method), Name: prefix + name, Summary: str(op["summary"]),
		Description: str(op["description"]), Deprecated: truth(op["deprecated"]),
	}
	if tags := array(op["tags"]); len(tags) > 0 {
		out.Group = str(tags[0])
	}
	own := map[string]bool{}
	for _, list := range [][]any{array(op["parameters"]), array(item["parameters"])} {
		for _, p := range list {
			f, ok := o.parameter(p)
			if ok && !own[f.In+" "+f.Name] && o.field() {
				own[f.In+" "+f.Name] = true
				out.Inputs = append(out.Inputs, f)
			}
		}
	}
	if body, _ := o.resolve(op["requestBody"]); body != nil {
		for _, f := range o.content(body, "body", "body") {
			f.Required = truth(body["required"])
			out.Inputs = append(out.Inputs, f)
		}
	}
	answers := object(op["responses"])
	for _, status := range keys(answers) {
		answer, _ := o.resolve(answers[status])
		out.Outputs = append(out.Outputs, o.content(answer, status, "answer")...)
	}
	o.operation(out)
}

func (o openAPI) parameter(v any) (Field, bool) {
	p, _ := o.resolve(v)
	if p == nil {
		return Field{}, false
	}
	var f Field
	if schema, ok := p["schema"]; ok || !o.two {
		f = o.schema(schema, 1)
	} else {
		f = o.schema(p, 1) // in version 2 a parameter is its own schema
	}
	for _, media := range object(p["content"]) {
		f = o.schema(object(media)["schema"], 1)
	}
	f.Name, f.In, f.Required = str(p["name"]), str(p["in"]), truth(p["required"])
	f.Description = cmp.Or(str(p["description"]), f.Description)
	f.Deprecated = f.Deprecated || truth(p["deprecated"])
	f.Example = cmp.Or(cutExample(p["example"]), f.Example)
	return f, f.Name != ""
}

// content reads the bodies of a request or an answer, one for each type of media.
func (o openAPI) content(of map[string]any, name, in string) []Field {
	about := str(of["description"])
	if schema, ok := of["schema"]; ok { // version 2
		f := o.schema(schema, 1)
		f.Name, f.In, f.Description = name, in, cmp.Or(about, f.Description)
		return []Field{f}
	}
	media := object(of["content"])
	var fields []Field
	for _, kind := range keys(media) {
		if !o.field() {
			break
		}
		m := object(media[kind])
		f := o.schema(m["schema"], 1)
		f.Name, f.In, f.Description = name+" "+kind, in, cmp.Or(about, f.Description)
		f.Example = cmp.Or(cutExample(m["example"]), f.Example)
		for _, example := range keys(object(m["examples"])) {
			if to, _ := o.resolve(object(m["examples"])[example]); f.Example == "" {
				f.Example = cutExample(to["value"])
			}
		}
		fields = append(fields, f)
	}
	if len(fields) == 0 && of != nil {
		fields = []Field{{Name: name, In: in, Type: "nothing", Description: about}}
	}
	return fields
}

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
	servers := object(t.root["servers"])
	for _, name := range keys(servers) {
		s := object(servers[name])
		d.Servers = append(d.Servers, cmp.Or(str(s["url"]), str(s["host"]))+" ("+name+")")
	}
	channels := object(t.root["channels"])
	if strings.HasPrefix(d.Version, "3") {
		t.operations3(channels)
	} else {
		t.operations2(channels)
	}
	t.typesOf(object(object(t.root["components"])["schemas"]))
	return d, nil
}

// operations2 reads the channels of version 2: what is published is given to the application, what is subscribed to is got.
func (t *tree) operations2(channels map[string]any) {
	for _, name := range keys(channels) {
		channel, _ := t.resolve(channels[name])
		for _, verb := range []string{"publish", "subscribe"} {
			op := object(channel[verb])
			if op == nil {
				continue
			}
			messages := []message{{"", op["message"]}}
			if several := array(object(op["message"])["oneOf"]); several != nil {
				messages = unnamed(several)
			}
			t.messages(Operation{
				ID: verb + " " + name, Group: name, Verb: verb, Name: name, Summary: str(op["summary"]),
				Description: cmp.Or(str(op["description"]), str(channel["description"])), Deprecated: truth(op["deprecated"]),
			}, messages, verb == "publish")
		}
	}
}

// operations3 reads the operations of version 3, whose messages are those of their channel unless they name some.
func (t *tree) operations3(channels map[string]any) {
	operations := object(t.root["operations"])
	for _, name := range keys(operations) {
		op, _ := t.resolve(operations[name])
		channel, key := t.resolve(op["channel"])
		address := cmp.Or(str(channel["address"]), key)
		messages := unnamed(array(op["messages"]))
		if len(messages) == 0 {
			messages = messagesOf(channel)
		}
		verb := str(op["action"])
		t.messages(Operation{
			ID: name, Group: address, Verb: verb, Name: name, Summary: cmp.Or(str(op["summary"]), str(op["title"])), Description: str(op["description"]),
		}, messages, verb == "receive")
	}
	if len(operations) > 0 {
		return
	}
	for _, name := range keys(channels) {
		channel, _ := t.resolve(channels[name])
		t.messages(Operation{ID: name, Group: cmp.Or(str(channel["address"]), name), Verb: "channel", Name: name, Description: str(channel["description"])}, messagesOf(channel), false)
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

func messagesOf(channel map[string]any) (messages []message) {
	all := object(channel["messages"])
	for _, key := range keys(all) {
		messages = append(messages, message{key, all[key]})
	}
	return messages
}

func (t *tree) messages(o Operation, messages []message, given bool) {
	for _, m := range messages {
		message, key := t.resolve(m.value)
		key = cmp.Or(m.key, key)
		if message == nil || !t.field() {
			continue
		}
		payload := message["payload"]
		if inner := object(object(payload)["schema"]); inner != nil && object(payload)["schemaFormat"] != nil {
			payload = inner
		}
		f := t.schema(payload, 1)
		f.Name, f.In = cmp.Or(str(message["name"]), key, str(message["title"]), "message"), "message"
		f.Description = cmp.Or(str(message["summary"]), str(message["description"]), f.Description)
		if given {
			f.Required = true
			o.Inputs = append(o.Inputs, f)
		} else {
			o.Outputs = append(o.Outputs, f)
		}
	}
	slices.SortFunc(o.Inputs, func(a, b Field) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(o.Outputs, func(a, b Field) int { return strings.Compare(a.Name, b.Name) })
	t.operation(o)
}
