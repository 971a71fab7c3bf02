// Command null is a provider with one resource that does nothing, null_resource, for configurations that need hashicorp/null
// where that can't be had: its module has no version that engines of today speak with. Its data source null_loud prints
// what it is given wherever a provider can, and waits for as long as it may.
package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"log"
	"os"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	loudly "github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/mapplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

func main() {
	if err := providerserver.Serve(context.Background(), func() provider.Provider { return null{} }, providerserver.ServeOpts{Address: "registry.opentofu.org/hashicorp/null"}); err != nil {
		log.Fatal(err)
	}
}

type null struct{}

func (null) Metadata(_ context.Context, _ provider.MetadataRequest, r *provider.MetadataResponse) {
	r.TypeName = "null"
}
func (null) Schema(context.Context, provider.SchemaRequest, *provider.SchemaResponse)          {}
func (null) Configure(context.Context, provider.ConfigureRequest, *provider.ConfigureResponse) {}
func (null) DataSources(context.Context) []func() datasource.DataSource {
	return []func() datasource.DataSource{func() datasource.DataSource { return loud{} }}
}
func (null) Resources(context.Context) []func() resource.Resource {
	return []func() resource.Resource{func() resource.Resource { return nothing{} }}
}

type nothing struct{}

type state struct {
	ID       types.String `tfsdk:"id"`
	Triggers types.Map    `tfsdk:"triggers"`
}

func (nothing) Metadata(_ context.Context, _ resource.MetadataRequest, r *resource.MetadataResponse) {
	r.TypeName = "null_resource"
}

func (nothing) Schema(_ context.Context, _ resource.SchemaRequest, r *resource.SchemaResponse) {
	r.Schema = schema.Schema{Attributes: map[string]schema.Attribute{
		"id":       schema.StringAttribute{Computed: true, PlanModifiers: []planmodifier.String{stringplanmodifier.UseStateForUnknown()}},
		"triggers": schema.MapAttribute{ElementType: types.StringType, Optional: true, PlanModifiers: []planmodifier.Map{mapplanmodifier.RequiresReplace()}},
	}}
}

func (nothing) Create(ctx context.Context, q resource.CreateRequest, r *resource.CreateResponse) {
	var s state
	if r.Diagnostics.Append(q.Plan.Get(ctx, &s)...); r.Diagnostics.HasError() {
		return
	}
	s.ID = types.StringValue(rand.Text())
	r.Diagnostics.Append(r.State.Set(ctx, &s)...)
}

func (nothing) Read(context.Context, resource.ReadRequest, *resource.ReadResponse) {} // it is as it was

func (nothing) Update(ctx context.Context, q resource.UpdateRequest, r *resource.UpdateResponse) {
	r.State.Raw = q.Plan.Raw
}

func (nothing) Delete(context.Context, resource.DeleteRequest, *resource.DeleteResponse) {}

type loud struct{}

type said struct {
	Text types.String `tfsdk:"text"`
	Fail types.Bool   `tfsdk:"fail"`
	Wait types.Bool   `tfsdk:"wait"`
}

func (loud) Metadata(_ context.Context, _ datasource.MetadataRequest, r *datasource.MetadataResponse) {
	r.TypeName = "null_loud"
}

func (loud) Schema(_ context.Context, _ datasource.SchemaRequest, r *datasource.SchemaResponse) {
	r.Schema = loudly.Schema{Attributes: map[string]loudly.Attribute{
		"text": loudly.StringAttribute{Required: true},
		"fail": loudly.BoolAttribute{Optional: true},
		"wait": loudly.BoolAttribute{Optional: true, Description: "until it is stopped"},
	}}
}

func (loud) Read(ctx context.Context, q datasource.ReadRequest, r *datasource.ReadResponse) {
	var s said
	if r.Diagnostics.Append(q.Config.Get(ctx, &s)...); r.Diagnostics.HasError() {
		return
	}
	if s.Wait.ValueBool() {
		<-ctx.Done()
		r.Diagnostics.AddError("It was stopped", context.Cause(ctx).Error())
		return
	}
	text := s.Text.ValueString()
	log.Printf("the log says %s", text)
	fmt.Fprintln(os.Stderr, "stderr says", text)
	fmt.Fprintln(os.Stdout, "stdout says", text)
	r.Diagnostics.AddWarning("A provider says "+text, "It goes on for so long that it has to be broken: "+text+" it says, and again "+text+" is what it says.")
	if s.Fail.ValueBool() {
		r.Diagnostics.AddError("A provider fails by "+text, "It goes on for so long here as well that it is broken: "+text+" it says.")
	}
	r.Diagnostics.Append(r.State.Set(ctx, &s)...)
}
