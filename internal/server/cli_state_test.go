package server

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestStatesAtATerminal pushes, compares, rolls back, locks, moves and finds, as people do.
func TestStatesAtATerminal(t *testing.T) {
	h, server := open(t)
	atTerminal(t, server.URL, h.Options.AdminToken)
	g := newGround(t, h, server)
	g.apply(stackDocument("net", "") + "---\n" + stackDocument("data", ""))
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		write(t, path, content)
		return path
	}
	one := file("one", bucketState(1, "l", "a", bucket{"logs", "old", "hidden-1"}, bucket{"gone", "", ""}))
	two := file("two", bucketState(2, "l", "b", bucket{"logs", "new", "hidden-2"}, bucket{"more", "", ""}))
	sayAll(t, []said{
		{"state list net", 0, "no versions of its state"},
		{"resources", 0, "no resources that you may see; they come with"},
		{"state pull net", 4, "does not exist"},
		{"state push net " + filepath.Join(dir, "none"), 1, "open the state"},
		{"state push net " + file("text", "hello"), 1, "the state is not JSON"},
		{"state push net " + one, 0, "is the newest version of the state of net"},
		{"state push net " + two, 0, "newest version"},
		{"state push net " + one, 5, "this state has serial 1, the stack's newest has 2; pull it first, or push it with --force"},
		{"state push net " + file("other", bucketState(9, "m", "a")), 5, "of lineage m, the stack's is l"},
		{"state list net", 0, "SERIAL"},
		{"stack state net", 0, "SERIAL"},
		{"state show net", 0, "arn:aws:s3:::more"},
		{"state show net --version 1 --text gone", 0, "aws_s3_bucket.gone"},
		{"state show net aws_s3_bucket.logs", 0, `"key": "(sensitive value)"`},
		{"state show net aws_s3_bucket.none", 4, "has no aws_s3_bucket.none"},
		{"state diff net", 0, "from serial 1 to serial 2: 1 added, 1 changed, 1 removed"},
		{"state diff net 2 1", 0, "from serial 2 to serial 1"},
		{"state diff net 7", 4, "serial 7"},
		{"state rollback net", 2, "required flag"},
		{"state lock net --reason moving", 0, "is locked"},
		{"state lock net", 5, "moving"},
		{"state rollback net --to 1", 5, "moving"},
		{"state move net --to data aws_s3_bucket.logs", 5, "moving"},
		{"state unlock net", 0, "is free"},
		{"state rollback net --to 1 --reason wrong", 0, "with serial 3"},
		{"state move net --to data --try aws_s3_bucket.logs", 0, "would move 1 to data"},
		{"state move net --to data aws_s3_bucket.logs", 0, "moved 1 to data"},
		{"state move net --to data aws_s3_bucket.logs", 4, "has no aws_s3_bucket.logs"},
		{"resources s3:::logs", 0, "default/data"},
		{"resources --type aws_s3_bucket --owner crew", 0, "aws_s3_bucket.gone"},
		{"resources --orphan", 0, "no resources that match"},
		{"resources --owner :", 1, "is not an owner"},
	})
	_, diff, _ := say("state diff net 1 2")
	for _, line := range []string{`tag: "old" → "new"`, `key: "(sensitive value)" → "(sensitive value)"`, "+ aws_s3_bucket.more", "- aws_s3_bucket.gone", "~ output o", `"a" → "b"`} {
		if !strings.Contains(diff, line) {
			t.Errorf("%q is missing in\n%s", line, diff)
		}
	}
	if strings.Contains(diff, "hidden-") || strings.Contains(diff, "top-") {
		t.Errorf("a secret is told:\n%s", diff)
	}
	want, err := os.ReadFile(two)
	if err != nil {
		t.Fatal(err)
	}
	if code, pulled, problem := say("state pull net --version 2"); code != 0 || pulled != string(want) {
		t.Errorf("state pull = %d %s %s", code, pulled, problem)
	}
	many := make([]bucket, 450)
	for i := range many {
		many[i] = bucket{name: fmt.Sprintf("b-%03d", i)}
	}
	sayAll(t, []said{{"state push net --force " + file("many", bucketState(20, "l", "a", many...)), 0, "newest version"}, {"state diff net", 0, "more than these 200"}})
	if _, all, _ := say("state diff net --limit 0"); strings.Count(all, "+ aws_s3_bucket.b-") != len(many) {
		t.Errorf("of %d that are new are told %d", len(many), strings.Count(all, "+ aws_s3_bucket.b-"))
	}
}
