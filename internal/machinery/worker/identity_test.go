package worker

import (
	"strings"
	"testing"
	"time"
)

// A step that has a token for a cloud finds it in its environment and in a file, and can't show it.
func TestAStepIsGivenItsTokenForACloud(t *testing.T) {
	t.Parallel()
	b := start(t, nil)
	j := sh(`[ "$(cat "$ROADBED_OIDC_TOKEN_FILE")" = "$ROADBED_OIDC_TOKEN" ] && [ "$ROADBED_OIDC_TOKEN" = "$SPACELIFT_OIDC_TOKEN" ] && stat -c 'all %a' roadbed.oidc
		echo "it is $ROADBED_OIDC_TOKEN"; printf %s "$ROADBED_OIDC_TOKEN" > out`)
	j.Outputs = []Output{{Name: "text", Path: "out", Kind: OutputText}}
	lease := Lease{ID: "a", Step: "step_a", Run: "run_1", Attempt: 1, Job: j, Expires: time.Now().Add(b.hub.ttl), Space: "default", IDToken: "eyJhbGciOi.eyJpc3MiOi.c2lnbmF0dXJl"}
	b.hub.waiting <- lease
	result, log := b.hub.result(t, "a")
	if result.ExitCode != 0 || log != "all 600\nit is ***\n" || result.Outputs["text"] != "***" {
		t.Errorf("got %+v, %q", result, log)
	}
	b.hub.offer("b", sh(`echo "[$ROADBED_OIDC_TOKEN$SPACELIFT_OIDC_TOKEN$ROADBED_OIDC_TOKEN_FILE]"; ls roadbed.oidc 2>/dev/null || echo none`))
	if _, log := b.hub.result(t, "b"); log != "[]\nnone\n" {
		t.Errorf("a step without one says %q", log)
	}
}

// An image that somebody chose is not left out in silence.
func TestAnImageThatIsAskedForIsRefusedByProcesses(t *testing.T) {
	t.Parallel()
	b := start(t, nil)
	j := sh("echo ran")
	j.Image, j.OwnImage = "golang:1.26", true
	b.hub.offer("a", j)
	if result, log := b.hub.result(t, "a"); result.ExitCode != ExitSetup || !strings.Contains(result.Message, "golang:1.26 can't be used") || strings.Contains(log, "ran") {
		t.Errorf("got %+v, %q", result, log)
	}
}
