package cli

import (
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
)

func TestAPlanIsToldResourceByResource(t *testing.T) {
	t.Parallel()
	plan := client.Plan{
		Changes: []client.PlanChange{
			{Address: "aws_s3_bucket.logs", Action: "create", After: map[string]any{"bucket": "logs", "acl": nil}, AfterUnknown: map[string]any{"arn": true}},
			{Address: "aws_instance.web", Action: "replace", Reason: "replace_because_tainted", Before: map[string]any{"size": 1.0, "zone": "a"}, After: map[string]any{"size": 2.0, "zone": "a"}, Sensitive: true},
			{Address: "aws_instance.disk", Action: "replace", ReplacePaths: []string{"disk[0].size"}, Before: map[string]any{"disk": 1.0, "disks": 1.0}, After: map[string]any{"disk": 2.0, "disks": 2.0}},
			{Address: "aws_instance.old", Action: "delete", Before: map[string]any{"size": 1.0}},
			{Address: "module.a.thing.new", PreviousAddress: "thing.old", Action: "move"},
			{Address: "aws_instance.same", Action: "no-op", Before: map[string]any{"size": 1.0}, After: map[string]any{"size": 1.0}},
			{Address: "long.x", Action: "create", After: map[string]any{"text": strings.Repeat("x", 1000)}},
		},
		Outputs: []client.PlanChange{
			{Address: "url", Action: "create", After: "https://example.com"}, {Address: "key", Action: "update", Sensitive: true}, {Address: "ip", Action: "create", AfterUnknown: true},
			{Address: "same", Action: "no-op", After: 1},
		},
	}
	var b strings.Builder
	writePlan(&b, plan)
	want := `  + aws_s3_bucket.logs
      arn = (known after apply)
      bucket = "logs"
-/+ aws_instance.web (replace because tainted)
      size = 1 -> 2
      (sensitive values are not shown)
-/+ aws_instance.disk
      disk = 1 -> 2 # forces replacement
      disks = 1 -> 2
  - aws_instance.old
      size = 1
 -> module.a.thing.new (was thing.old)
  + long.x
      text = "` + strings.Repeat("x", 199) + `…
  + output url = "https://example.com"
  ~ output key (sensitive)
  + output ip (known after apply)
`
	if got := b.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	b.Reset()
	outside := []client.PlanChange{{Address: "aws_instance.web", Action: "update", Before: map[string]any{"size": 1.0}, After: map[string]any{"size": 2.0}}, {Address: "aws_instance.old", Action: "delete"}}
	writePlan(&b, client.Plan{Outside: outside, OutsideMore: 3})
	if want := "nothing would change\n\nchanged outside:\n  ~ aws_instance.web\n      size = 1 -> 2\n  - aws_instance.old\n    and 3 more\n"; b.String() != want {
		t.Errorf("what was changed outside is told as\n%s\nwant\n%s", b.String(), want)
	}
	b.Reset()
	writePlan(&b, client.Plan{Changes: outside[:1], Refresh: true})
	if want := "  ~ aws_instance.web\n      size = 1 -> 2\nonly the state would change: this is what was changed outside\n"; b.String() != want {
		t.Errorf("what is taken up is told as\n%s\nwant\n%s", b.String(), want)
	}
	b.Reset()
	if writePlan(&b, client.Plan{}); b.String() != "nothing would change\n" {
		t.Errorf("an empty plan is told as %q", b.String())
	}
}
