package worker

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// What a step gives is without its secrets, in whatever form the log would be; what it was goes along apart.
func TestOutputsOfAStepAreWithoutItsSecrets(t *testing.T) {
	t.Parallel()
	b := start(t, nil)
	j := sh(`printf 'x%sx' "$PASSWORD" > plain; printf %s "$PASSWORD" | base64 > coded; printf '{"k":"%s"}' "$PASSWORD" > json
		printf %s "$ROADBED_TOKEN$PASSWORD" > file; echo nothing > harmless; printf also-this-one > masked`)
	j.SecretEnv = map[string]string{"PASSWORD": "default/password"}
	j.Masks, j.Sealed = []string{"also-this-one", "never-said"}, true
	for _, name := range []string{"plain", "coded", "json", "harmless", "masked"} {
		j.Outputs = append(j.Outputs, Output{Name: name, Path: name, Kind: OutputText})
	}
	j.Outputs = append(j.Outputs, Output{Name: "file", Path: "file", Kind: OutputFile})
	b.hub.offer("a", j)
	got, log := b.hub.result(t, "a")
	if got.ExitCode != 0 || got.Clear == nil {
		t.Fatalf("got %+v, %q", got, log)
	}
	want := map[string]string{"plain": "x***x", "coded": "***\n", "json": `{"k":"***"}`, "harmless": "nothing\n", "masked": "***"}
	for name, text := range want {
		if got.Outputs[name] != text && !(name == "coded" && !strings.Contains(got.Outputs[name], base64.StdEncoding.EncodeToString([]byte("hunter2hunter2"))[:8])) {
			t.Errorf("output %s is %q, want %q", name, got.Outputs[name], text)
		}
	}
	given := got.Given().Outputs
	if given["plain"] != "xhunter2hunter2x" || given["json"] != `{"k":"hunter2hunter2"}` || given["masked"] != "also-this-one" {
		t.Errorf("later steps get %q", given)
	}
	if !slices.Equal(got.Clear.Secrets, []string{"also-this-one", "hunter2hunter2"}) {
		t.Errorf("the secrets that it gave are said to be %q", got.Clear.Secrets)
	}
	if !got.Artifacts["file"].Sealed {
		t.Error("the artifact is not said to be sealed")
	}
	j = sh(`echo fine > plain; test -n "$PASSWORD"`)
	j.SecretEnv = map[string]string{"PASSWORD": "default/password"}
	j.Outputs = []Output{{Name: "plain", Path: "plain", Kind: OutputText}}
	b.hub.offer("b", j)
	if got, _ := b.hub.result(t, "b"); got.Clear != nil || got.Outputs["plain"] != "fine\n" {
		t.Errorf("what has no secret is kept twice: %+v", got)
	}
}

func TestDataOfAnActionIsWithoutItsSecrets(t *testing.T) {
	t.Parallel()
	r := withoutSecrets(Result{Message: "hunter22!", Data: []byte(`{"a":["x hunter22",{"hunter22":12345678}],"n":1}`)}, []string{"hunter22", "12345678"})
	if got := string(r.Data); got != `{"a":["x ***",{"***":"***"}],"n":1}` || r.Message != "***!" {
		t.Errorf("got %s, %q", got, r.Message)
	}
	if given := string(r.Given().Data); !strings.Contains(given, `{"hunter22":12345678}`) {
		t.Errorf("given is %s", given)
	}
}

// A text that was cut short in a secret tells nothing of its beginning.
func TestWhatWasCutInASecretIsHidden(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		secret := rapid.StringMatching(`[a-z0-9]{8,40}`).Draw(t, "secret")
		n := rapid.IntRange(minSecret, len(secret)).Draw(t, "kept")
		before := rapid.StringMatching(`[A-Z (]{0,20}`).Draw(t, "before")
		if got, want := Hiding([]string{secret})(before+secret[:n]+"…) after"), before+"***…) after"; got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	})
}
