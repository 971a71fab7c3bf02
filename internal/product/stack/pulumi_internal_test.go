package stack

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// pulumiSaid gives what the real program has written: see testdata/pulumi.
func pulumiSaid(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "pulumi", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// pulumiReads gives a plan as it is told.
func pulumiReads(t *testing.T, told []byte) Plan {
	t.Helper()
	_, in := vendorRun(Vendor{Pulumi: &Pulumi{StackName: "prod"}})
	is, err := pulumiTool{}.read(in, told)
	if err != nil {
		t.Fatal(err)
	}
	data, err := is.plan.encode()
	if err != nil {
		t.Fatal(err)
	}
	p, err := ReadPlan(data)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func changesOf(p Plan) (all []string) {
	for _, c := range p.Changes {
		all = append(all, c.Address+" "+c.Action)
	}
	for _, c := range p.Outputs {
		all = append(all, "output "+c.Address+" "+c.Action)
	}
	return all
}

// TestAPlanOfPulumiTellsItsResources reads a plan with a resource within another, with what is hidden and what is not known.
func TestAPlanOfPulumiTellsItsResources(t *testing.T) {
	t.Parallel()
	_, in := vendorRun(Vendor{Pulumi: &Pulumi{StackName: "prod"}})
	saved := `{"manifest":{},"resourcePlans":{
 "urn:pulumi:prod::shop::pulumi:pulumi:Stack::shop-prod":{"goal":{"type":"pulumi:pulumi:Stack","name":"shop-prod","inputDiff":{},
  "outputDiff":{"adds":{"url":"04da6b54-80e4-46f7-96ec-b56ff0331ba9"},"updates":{"size":3},"deletes":["old"]}},"steps":["same"]},
 "urn:pulumi:prod::shop::pulumi:providers:aws::default_6_0_0":{"goal":{"inputDiff":{"adds":{"region":"x"}}},"steps":["create"]},
 "urn:pulumi:prod::shop::a:b:Group$aws:s3/bucket:Bucket::logs":{"goal":{"type":"aws:s3/bucket:Bucket","name":"logs","inputDiff":{"adds":{"acl":"private","__defaults":[],
  "key":{"4dabf18193072939515e22adb298388d":"1b47061264138c4ac30d75fd1eb44270","ciphertext":"v1:hidden"},
  "tags":{"a":"04da6b54-80e4-46f7-96ec-b56ff0331ba9","b":1},"ids":["x","04da6b54-80e4-46f7-96ec-b56ff0331ba9"]},"deletes":["gone"]}},"steps":["create-replacement","replace","delete-replaced"]},
 "urn:pulumi:prod::shop::aws:s3/bucket:Bucket::old":{"steps":["delete"]}}}`
	p := pulumiReads(t, []byte(saved))
	want := []string{
		"a:b:Group.aws:s3/bucket:Bucket.logs replace", "aws:s3/bucket:Bucket.old delete", "pulumi:pulumi:Stack.shop-prod no-op",
		"output old delete", "output size update", "output url create",
	}
	if got := changesOf(p); !slices.Equal(got, want) || p.Vendor != vendorPulumi {
		t.Errorf("the plan has %q, want %q", got, want)
	}
	after, unknown := p.Changes[0].After, p.Changes[0].AfterUnknown
	if got, want := jsonOf(t, after), `{"acl":"private","gone":null,"ids":["x",null],"key":"`+maskedValue+`","tags":{"b":1}}`; got != want {
		t.Errorf("after the change the bucket is %s, want %s", got, want)
	}
	if got, want := jsonOf(t, unknown), `{"ids":[false,true],"tags":{"a":true}}`; got != want {
		t.Errorf("of the bucket %s is unknown, want %s", got, want)
	}
	if p.Outputs[2].After != nil || p.Outputs[2].AfterUnknown != true {
		t.Errorf("the address that nobody knows yet is %+v", p.Outputs[2])
	}

	// A provider that Pulumi has made is a change only where nothing else is.
	p = pulumiReads(t, []byte(`{"resourcePlans":{"urn:pulumi:prod::shop::pulumi:pulumi:Stack::shop-prod":{"steps":["same"]},
 "urn:pulumi:prod::shop::pulumi:providers:aws::default":{"steps":["update"]}}}`))
	if got := p.Summary.String(); got != "1 to change" {
		t.Errorf("another version of a provider is %s", got)
	}

	// One that somebody has named like those is a change beside others.
	p = pulumiReads(t, []byte(`{"resourcePlans":{"urn:pulumi:prod::shop::shelf:index:Item::a":{"steps":["create"]},
 "urn:pulumi:prod::shop::pulumi:providers:aws::default_6_2_1":{"steps":["create"]},
 "urn:pulumi:prod::shop::pulumi:providers:aws::default-eu":{"steps":["update"]}}}`))
	if got := p.Summary.String(); got != "1 to create, 1 to change" {
		t.Errorf("a provider that is called default-eu is %s", got)
	}

	gone := in
	gone.Type = Destroy
	if is, err := (pulumiTool{}).read(gone, []byte(`{"changeSummary":{}}`)); err != nil || len(is.plan.ResourceChanges) > 0 {
		t.Errorf("of a stack that has nothing would go %+v, %v", is, err)
	}

	for told, want := range map[string]string{
		`{"version":1,"plan":` + saved + `,"resourcePlans":{}}`: "of a form that an update doesn't read",
		"{}": "neither resources nor steps", "[]": "can't be read", `{"resourcePlans":[]}`: "can't be read",
	} {
		if _, err := (pulumiTool{}).read(in, []byte(told)); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s gives %v, want %s", cut(told, 50), err, want)
		}
	}
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestWhatPulumiLeavesIsKept: resources of one type and name are told apart by what they are in, and so is one that has yet
// to go from the one in its place.
func TestWhatPulumiLeavesIsKept(t *testing.T) {
	t.Parallel()
	_, in := vendorRun(Vendor{Pulumi: &Pulumi{StackName: "prod"}})
	kept, err := pulumiKeeper{}.state(in, stateFile{}, applied{
		left: []byte(`{"version":3,"deployment":{"resources":[
 {"urn":"urn:pulumi:prod::shop::pulumi:pulumi:Stack::shop-prod","type":"pulumi:pulumi:Stack","outputs":{"url":"https://x","key":{"4dabf18193072939515e22adb298388d":"1b47061264138c4ac30d75fd1eb44270","ciphertext":"v1:hidden"}}},
 {"urn":"urn:pulumi:prod::shop::pulumi:providers:aws::default","type":"pulumi:providers:aws","id":"1","custom":true},
 {"urn":"urn:pulumi:prod::shop::a:b:Group::one","type":"a:b:Group"},
 {"urn":"urn:pulumi:prod::shop::a:b:Group$aws:s3/bucket:Bucket::logs","type":"aws:s3/bucket:Bucket","id":"logs-0","custom":true},
 {"urn":"urn:pulumi:prod::shop::aws:s3/bucket:Bucket::logs","type":"aws:s3/bucket:Bucket","id":"logs-1","custom":true},
 {"urn":"urn:pulumi:prod::shop::aws:s3/bucket:Bucket::logs","type":"aws:s3/bucket:Bucket","id":"logs-2","custom":true,"delete":true}]}}`),
		outputs: []byte(`{"url":"https://x","key":"clear"}`),
	})
	if err != nil || kept.Outputs["url"].Sensitive || !kept.Outputs["key"].Sensitive {
		t.Fatalf("what is kept is %+v: %v", kept, err)
	}
	kept.Version, kept.Lineage = 4, "x"
	raw, err := json.Marshal(kept)
	if err != nil {
		t.Fatal(err)
	}
	f, err := readState(raw)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, x := range f.managed() {
		all = append(all, x.Address)
	}
	if want := []string{"a:b:Group.aws:s3/bucket:Bucket.logs", "aws:s3/bucket:Bucket.logs", "aws:s3/bucket:Bucket.logs (deposed logs-2)"}; !slices.Equal(all, want) {
		t.Errorf("there are %q, want %q", all, want)
	}
	if held, err := (pulumiKeeper{}).held(stateFile{}, raw); err != nil || !strings.HasPrefix(string(held), `{"version":3,`) {
		t.Errorf("the next preview is given %s: %v", held, err)
	}
}

// TestVariablesAreSetAsWhatTheyAre: what Pulumi would read as another type when it is set by its path is a text of JSON.
func TestVariablesAreSetAsWhatTheyAre(t *testing.T) {
	t.Parallel()
	for given, want := range map[string][]string{
		`"true"`: {"v=true"}, `3`: {"v=3"}, `1.5`: {"v=1.5"}, `false`: {"v=false"}, `null`: {"v=null"}, `"a=b\nc"`: {"v=a=b\nc"},
		`[1,"a",[true]]`:             {"v[0]=1", "v[1]=a", "v[2][0]=true"},
		`{"b":{"c d":"007"},"a":-1}`: {`v["a"]=-1`, `v["b"]["c d"]=007`},
		`{"it's \"so\"":"x"}`:        {`v["it's \"so\""]=x`},
		`["true"]`:                   {`v=["true"]`}, `["7"]`: {`v=["7"]`}, `[1.5]`: {"v=[1.5]"}, `[]`: {"v=[]"}, `{"a":{}}`: {`v={"a":{}}`}, `[null]`: {"v=[null]"},
		`{"a=b":1}`: {`v={"a=b":1}`},
	} {
		var v any
		if err := json.Unmarshal([]byte(given), &v); err != nil {
			t.Fatal(err)
		}
		if got := asConfig("v", v); !slices.Equal(got, want) {
			t.Errorf("%s is set by %q, want %q", given, got, want)
		}
	}
	for name, want := range map[string]string{"prod": "prod", "acme/prod": "prod", "acme/shop/prod": "organization/shop/prod"} {
		p := &Pulumi{StackName: name}
		if got := p.stack(); got != want {
			t.Errorf("%s is kept as %s, want %s", name, got, want)
		}
		if p.LoginURL = "https://pulumi.example.org"; p.stack() != name {
			t.Errorf("elsewhere %s is kept as %s", name, p.stack())
		}
	}
}

// TestWhatPulumiHasWrittenIsRead reads what Pulumi 3.274.1 has written of one stack: the plan of its first update, what it
// exported afterwards with its outputs, and the preview of its destruction.
func TestWhatPulumiHasWrittenIsRead(t *testing.T) {
	t.Parallel()
	_, in := vendorRun(Vendor{Pulumi: &Pulumi{StackName: "prod"}})
	p := pulumiReads(t, pulumiSaid(t, "plan.json"))
	want := []string{
		"pulumi:pulumi:Stack.shop-prod create", "shelf:index:Item.first create", "shelf:index:Item.second create",
		"output key create", "output many create", "output says create",
	}
	if got := changesOf(p); !slices.Equal(got, want) {
		t.Errorf("the plan has %q, want %q", got, want)
	}
	if got, want := jsonOf(t, p.Changes[1].After), `{"name":"one","text":"hello","word":"`+maskedValue+`"}`; got != want {
		t.Errorf("the first item will be %s, want %s", got, want)
	}
	if got, unknown := jsonOf(t, p.Changes[2].After), jsonOf(t, p.Changes[2].AfterUnknown); got != `{"name":"two"}` || unknown != `{"text":true}` {
		t.Errorf("the second item will be %s, and %s is unknown", got, unknown)
	}
	kept, err := pulumiKeeper{}.state(in, stateFile{}, applied{left: pulumiSaid(t, "export.json"), outputs: pulumiSaid(t, "outputs.json")})
	if err != nil {
		t.Fatal(err)
	}
	if len(kept.Resources) != 2 || string(kept.Outputs["says"].Value) != `"hello"` || kept.Outputs["says"].Sensitive || !kept.Outputs["key"].Sensitive {
		t.Errorf("what is kept is %+v", kept)
	}
	p = pulumiReads(t, pulumiSaid(t, "destroy.json"))
	want = []string{"pulumi:pulumi:Stack.shop-prod delete", "shelf:index:Item.first delete", "shelf:index:Item.second delete"}
	if got := changesOf(p); !slices.Equal(got, want) {
		t.Errorf("the destruction has %q, want %q", got, want)
	}
}

// TestADestructionTakesWhatWasReviewed: others may have added to a backend of Pulumi's. What Pulumi says is made up here, since
// what is kept by the platform can't differ.
func TestADestructionTakesWhatWasReviewed(t *testing.T) {
	t.Parallel()
	said := func(names ...string) string {
		var steps []string
		for _, name := range names {
			steps = append(steps, fmt.Sprintf("  {\n    \"op\": \"delete\",\n    \"urn\": \"urn:pulumi:prod::shop::shelf:index:Item::%s\"\n  }", name))
		}
		return "{\"steps\": [\n" + strings.Join(steps, ",\n") + "\n]}\n"
	}
	for _, c := range []struct {
		name, now string
		code      int
		tells     string
		login     string
	}{
		{"the same", said("b", "a"), 0, "destroys", ""},
		{"less", said("a"), 0, "destroys", ""},
		{"of another backend", said("a"), 0, "destroys", "https://pulumi.example"},
		{"more", said("a", "b", "c"), 94, "Item::c\"\nthis would be destroyed, too, and was not reviewed", ""},
		{"unknown", "", 1, "not now", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for name, text := range map[string]string{"plan.bin": said("a", "b"), "said": c.now} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			fake := `set -eu
beside="$ROADBED_WORK"
p() {
  case "$*" in
    *preview-only*) if [ -s "$beside/said" ]; then cat "$beside/said"; else echo "not now"; return 255; fi ;;
    destroy*) echo destroys ;;
  esac
}
`
			sh := exec.CommandContext(t.Context(), "/bin/sh", "-c", fake+failing+hearing+pulumiFails+pulumiUpdate)
			sh.Env = []string{"PATH=" + os.Getenv("PATH"), "ROADBED_WORK=" + dir, "ROADBED_ALL_GOES=yes", "ROADBED_LOGIN=" + c.login}
			told, err := sh.CombinedOutput()
			if sh.ProcessState == nil || sh.ProcessState.ExitCode() != c.code || !strings.Contains(string(told), c.tells) || strings.Contains(string(told), "destroys") != (c.code == 0) {
				t.Errorf("it ends with %v and says\n%s", err, told)
			}
			lost, _ := os.ReadFile(filepath.Join(dir, "lost")) // what is missing is nothing
			if begun := c.code == 0 && c.login == ""; strings.HasPrefix(string(lost), "Pulumi has begun") != begun {
				t.Errorf("of what may be lost it tells %q", lost)
			}
		})
	}
}
