package definition

import (
	"cmp"
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
	d.Servers = t.servers()
	components := object(t.root["components"])
	o := openAPI{tree: t, two: strings.HasPrefix(d.Version, "2"), schemes: object(components["securitySchemes"])}
	if o.two {
		o.schemes = object(t.root["securityDefinitions"])
	}
	o.paths("", object(t.root["paths"]))
	o.paths("webhook ", object(t.root["webhooks"]))
	t.typesOf(object(components["schemas"]))
	t.typesOf(object(t.root["definitions"]))
	return d, nil
}

// servers gives where the API is, as a client that chooses nothing calls it.
func (t *tree) servers() (all []string) {
	if at := str(t.root["host"]) + str(t.root["basePath"]); at != "" { // version 2
		for _, scheme := range array(t.root["schemes"]) {
			all = append(all, str(scheme)+"://"+at)
		}
		if all == nil {
			all = []string{at}
		}
	}
	for _, v := range array(t.root["servers"]) {
		s := object(v)
		url, variables := str(s["url"]), object(s["variables"])
		for _, name := range keys(variables) {
			url = strings.ReplaceAll(url, "{"+name+"}", str(object(variables[name])["default"]))
		}
		all = append(all, url)
	}
	return all
}

// about reads what a document says of the API as a whole.
func (t *tree) about() {
	info := object(t.root["info"])
	t.d.Title, t.d.Release, t.d.Description = str(info["title"]), str(info["version"]), str(info["description"])
}

type openAPI struct {
	*tree
	two     bool // version 2
	schemes map[string]any
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
			f := o.parameter(p)
			if f.Name == "" || own[f.In+" "+f.Name] || !o.field() {
				continue
			}
			own[f.In+" "+f.Name] = true
			if o.two && f.In == "body" {
				out.Inputs = append(out.Inputs, o.eachMedia(f, "body", firstOf(op, o.root, "consumes"))...)
			} else {
				out.Inputs = append(out.Inputs, f)
			}
		}
	}
	if body, _ := o.resolve(op["requestBody"]); body != nil {
		for _, f := range o.content(body, "body", "body", nil) {
			f.Required = truth(body["required"])
			out.Inputs = append(out.Inputs, f)
		}
	}
	answers := object(op["responses"])
	for _, status := range keys(answers) {
		answer, _ := o.resolve(answers[status])
		out.Outputs = append(out.Outputs, o.content(answer, status, "answer", firstOf(op, o.root, "produces"))...)
		headers := object(answer["headers"])
		for _, name := range keys(headers) {
			if o.field() {
				f := o.parameter(headers[name])
				f.Name, f.In = status+" header "+name, "answer"
				out.Outputs = append(out.Outputs, f)
			}
		}
	}
	if prefix != "" { // the API asks, and who uses it answers
		out.Inputs, out.Outputs = out.Outputs, out.Inputs
	} else {
		security, own := op["security"]
		if !own {
			security = o.root["security"]
		}
		out.Security = o.security(security, o.schemes)
	}
	o.operation(out)
}

// firstOf gives a list of names that an operation has for itself, or that of the whole.
func firstOf(op, root map[string]any, key string) []any {
	if own, ok := op[key]; ok {
		return array(own)
	}
	return array(root[key])
}

// eachMedia gives in version 2 a body for each type of media that is told elsewhere, as version 3 says it.
func (o openAPI) eachMedia(f Field, name string, media []any) (fields []Field) {
	if len(media) == 0 {
		media = []any{"application/json"}
	}
	for _, kind := range media {
		if !o.field() {
			break
		}
		f.Name = name + " " + str(kind)
		fields = append(fields, f)
	}
	return fields
}

// parameter reads one, or a header of an answer; it has no name when it can't be read.
func (o openAPI) parameter(v any) Field {
	p, _ := o.resolve(v)
	if p == nil {
		return Field{}
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
	return f
}

// nothing is the type of an answer without a body.
const nothing = "nothing"

// content reads the bodies of a request or an answer, one for each type of media, which are told elsewhere in version 2.
func (o openAPI) content(of map[string]any, name, in string, media2 []any) []Field {
	about := str(of["description"])
	if schema, ok := of["schema"]; ok && o.two {
		f := o.schema(schema, 1)
		f.In, f.Description = in, cmp.Or(about, f.Description)
		return o.eachMedia(f, name, media2)
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
		fields = []Field{{Name: name, In: in, Type: nothing, Description: about}}
	}
	return fields
}
