package server

import (
	"context"
	"encoding/json"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/client"
)

// TestWhatScorecardsSaidBeforeFromACommandLine tells of an entity that rises by a level.
func TestWhatScorecardsSaidBeforeFromACommandLine(t *testing.T) {
	h, server := open(t)
	atTerminal(t, server.URL, h.Options.AdminToken)
	dir := t.TempDir()
	judged := func(text, says string) {
		t.Helper()
		file := filepath.Join(dir, "judged.yaml")
		write(t, file, text)
		sayAll(t, []said{{"apply -f " + file, 0, ""}})
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		out := ""
		if err := eventually(ctx, func() (bool, error) {
			_, out, _ = say("scorecard entity plain")
			return strings.Contains(out, says), nil
		}); err != nil {
			t.Fatalf("it is not judged %q: %s", says, out)
		}
	}
	judged(judgedThings+"---"+judgingCard, "1 of 3 rules pass")
	judged(`{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: plain, description: Now described}, spec: {type: service, lifecycle: production, owner: division}}`, "2 of 3 rules pass")
	day := time.Now().UTC().Format("2006-01-02") // what was judged before midnight counts for the day after, too
	sayAll(t, []said{
		{"scorecard history nothing", 4, "component:default/nothing"},
		{"scorecard history other", 0, "no changes of what scorecards say of it"},
		{"scorecard history plain --scorecard other", 0, "fewer flags show more"},
		{"scorecard history plain --limit 1", 0, "more than these 1"},
		{"scorecard trend nothing", 4, "nothing"},
		{"scorecard trend ready --days 0", 1, "days"},
		{"scorecard trend ready --team tribe", 0, "DAY"},
	})
	for line, want := range map[string]string{
		"scorecard history plain --scorecard ready": `^WHEN +SCORECARD +LEVEL +FAILS\n\S.* scorecard:default/ready +silver +system\n\S.* scorecard:default/ready +bronze +says system\n$`,
		"scorecard trend ready":                     `^DAY +ENTITIES +GOLD +SILVER +BRONZE +NONE +FAILS\n(.*\n)?` + day + ` +2 +1 +1 +0 +0 +system 1\n$`,
	} {
		if code, out, problem := say(line); code != 0 || !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("roadbed %s = %d:\n%s%s", line, code, out, problem)
		}
	}
	_, out, _ := say("scorecard trend ready -o json --days 400")
	var days []client.ScorecardDay
	if err := json.Unmarshal([]byte(out), &days); err != nil || len(days) == 0 || days[len(days)-1].Levels["silver"] != 1 {
		t.Errorf("programs are given %s, %v", out, err)
	}
}
