// Command shelf is a provider of Pulumi's for the tests. Its one resource, shelf:index:Item, lies on a server that SHELF names,
// where anybody can change it or take it away; without SHELF it lies nowhere, and is what it was made.
package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/provider"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"
)

const (
	name    = "shelf"
	version = "1.0.0"
)

// schema: name is what an item is known by, so that another one takes its place; key is made with it, and is nobody's business.
const schema = `{"name": "shelf", "version": "1.0.0", "resources": {"shelf:index:Item": {
  "inputProperties": {"name": {"type": "string", "willReplaceOnChanges": true}, "text": {"type": "string"}, "word": {"type": "string"}},
  "requiredInputs": ["name", "text"],
  "properties": {"name": {"type": "string"}, "text": {"type": "string"}, "word": {"type": "string"}, "key": {"type": "string", "secret": true}},
  "required": ["name", "text", "key"]}}}`

func main() {
	err := provider.Main(name, func(*provider.HostClient) (pulumirpc.ResourceProviderServer, error) { return shelf{}, nil })
	if err != nil {
		log.Fatal(err)
	}
}

type shelf struct {
	pulumirpc.UnimplementedResourceProviderServer
}

func (shelf) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: version}, nil
}

func (shelf) GetSchema(context.Context, *pulumirpc.GetSchemaRequest) (*pulumirpc.GetSchemaResponse, error) {
	return &pulumirpc.GetSchemaResponse{Schema: schema}, nil
}

func (shelf) CheckConfig(_ context.Context, r *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	return &pulumirpc.CheckResponse{Inputs: r.GetNews()}, nil
}

func (shelf) DiffConfig(context.Context, *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	return &pulumirpc.DiffResponse{Changes: pulumirpc.DiffResponse_DIFF_NONE}, nil
}

func (shelf) Configure(context.Context, *pulumirpc.ConfigureRequest) (*pulumirpc.ConfigureResponse, error) {
	return &pulumirpc.ConfigureResponse{AcceptSecrets: true, SupportsPreview: true}, nil
}

func (shelf) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

var options = plugin.MarshalOptions{KeepUnknowns: true, KeepSecrets: true, SkipNulls: true}

func read(s *structpb.Struct) (resource.PropertyMap, error) {
	return plugin.UnmarshalProperties(s, options)
}

func write(m resource.PropertyMap) (*structpb.Struct, error) {
	return plugin.MarshalProperties(m, options)
}

func (shelf) Check(_ context.Context, r *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	return &pulumirpc.CheckResponse{Inputs: r.GetNews()}, nil
}

func (shelf) Diff(_ context.Context, r *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	was, err := read(r.GetOldInputs())
	if err != nil {
		return nil, err
	}
	is, err := read(r.GetNews())
	if err != nil {
		return nil, err
	}
	out := &pulumirpc.DiffResponse{Changes: pulumirpc.DiffResponse_DIFF_NONE}
	for _, field := range []resource.PropertyKey{"name", "text", "word"} {
		if was[field].DeepEquals(is[field]) {
			continue
		}
		out.Changes = pulumirpc.DiffResponse_DIFF_SOME
		out.Diffs = append(out.Diffs, string(field))
		if field == "name" {
			out.Replaces = append(out.Replaces, string(field))
		}
	}
	return out, nil
}

// made gives what there is of an item, besides what it was asked to be.
func made(inputs *structpb.Struct, key resource.PropertyValue) (resource.PropertyMap, error) {
	all, err := read(inputs)
	if err != nil {
		return nil, err
	}
	all = all.Copy()
	all["key"] = resource.MakeSecret(key)
	return all, nil
}

func (shelf) Create(ctx context.Context, r *pulumirpc.CreateRequest) (*pulumirpc.CreateResponse, error) {
	key := resource.NewStringProperty("key-" + strings.ToLower(rand.Text()))
	if r.GetPreview() {
		key = resource.MakeComputed(resource.NewStringProperty(""))
	}
	all, err := made(r.GetProperties(), key)
	if err != nil {
		return nil, err
	}
	id := ""
	if !r.GetPreview() {
		id = strings.ToLower(rand.Text()[:8])
		if err := put(ctx, id, all); err != nil {
			return nil, err
		}
	}
	properties, err := write(all)
	return &pulumirpc.CreateResponse{Id: id, Properties: properties}, err
}

func (shelf) Update(ctx context.Context, r *pulumirpc.UpdateRequest) (*pulumirpc.UpdateResponse, error) {
	was, err := read(r.GetOlds())
	if err != nil {
		return nil, err
	}
	all, err := made(r.GetNews(), plain(was["key"]))
	if err == nil && !r.GetPreview() {
		err = put(ctx, r.GetId(), all)
	}
	if err != nil {
		return nil, err
	}
	properties, err := write(all)
	return &pulumirpc.UpdateResponse{Properties: properties}, err
}

// Read tells what lies on the server by now; of the rest it knows what it was told.
func (shelf) Read(ctx context.Context, r *pulumirpc.ReadRequest) (*pulumirpc.ReadResponse, error) {
	all, err := read(r.GetProperties())
	if err != nil {
		return nil, err
	}
	inputs, err := read(r.GetInputs())
	if err != nil {
		return nil, err
	}
	text, there, err := get(ctx, r.GetId())
	if err != nil || !there {
		return &pulumirpc.ReadResponse{}, err
	}
	if text != nil {
		all, inputs = all.Copy(), inputs.Copy()
		all["text"], inputs["text"] = told(all["text"], *text), told(inputs["text"], *text)
	}
	out := &pulumirpc.ReadResponse{Id: r.GetId()}
	if out.Properties, err = write(all); err == nil {
		out.Inputs, err = write(inputs)
	}
	return out, err
}

// told gives a text, as secret as it was.
func told(was resource.PropertyValue, text string) resource.PropertyValue {
	if was.IsSecret() {
		return resource.MakeSecret(resource.NewStringProperty(text))
	}
	return resource.NewStringProperty(text)
}

func (shelf) Delete(ctx context.Context, r *pulumirpc.DeleteRequest) (*emptypb.Empty, error) {
	_, err := ask(ctx, http.MethodDelete, r.GetId(), nil)
	if errors.Is(err, errNone) {
		err = nil
	}
	return &emptypb.Empty{}, err
}

func plain(v resource.PropertyValue) resource.PropertyValue {
	if v.IsSecret() {
		return v.SecretValue().Element
	}
	return v
}

var errNone = errors.New("it is not there")

func put(ctx context.Context, id string, all resource.PropertyMap) error {
	item := map[string]string{}
	for _, field := range []resource.PropertyKey{"name", "text"} {
		if v := plain(all[field]); v.IsString() {
			item[string(field)] = v.StringValue()
		}
	}
	body, err := json.Marshal(item)
	if err == nil {
		_, err = ask(ctx, http.MethodPut, id, body)
	}
	return err
}

// get gives the text of an item, nil where there is no server, and whether it is there.
func get(ctx context.Context, id string) (*string, bool, error) {
	body, err := ask(ctx, http.MethodGet, id, nil)
	switch {
	case errors.Is(err, errNone):
		return nil, false, nil
	case err != nil || body == nil:
		return nil, err == nil, err
	}
	var item struct {
		Text string `json:"text"`
	}
	err = json.Unmarshal(body, &item)
	return &item.Text, true, err
}

func ask(ctx context.Context, method, id string, body []byte) ([]byte, error) {
	server := os.Getenv("SHELF")
	if server == "" {
		return nil, nil
	}
	r, err := http.NewRequestWithContext(ctx, method, server+"/"+id, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	switch {
	case response.StatusCode == http.StatusNotFound:
		return nil, errNone
	case response.StatusCode >= 300:
		return nil, fmt.Errorf("the shelf says %s", response.Status)
	}
	return io.ReadAll(io.LimitReader(response.Body, 1<<20))
}
