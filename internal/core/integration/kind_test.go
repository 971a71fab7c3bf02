package integration_test

import (
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/core/integration"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
)

func TestBadDocumentsAreRefusedWithThePlace(t *testing.T) {
	t.Parallel()
	kind := integration.Kinds(integration.New(integration.Deps{Queue: queue.New(nil, nil)}))[0]
	const token = "  token: {secretRef: default/t}\n"
	for _, c := range []struct {
		name, spec    string
		line          int
		message, hint string
	}{
		{"no forge", token, 4, "is missing", "github, gitlab or gitea"},
		{"another forge", "  forge: gerrit\n" + token, 5, "gerrit", "github, gitlab or gitea"},
		{"an unknown field", "  forge: github\n" + token + "  tokens: x\n", 7, "unknown field", "did you mean token?"},
		{"gitea without an address", "  forge: gitea\n" + token, 4, "is missing", "https://git.example.com"},
		{"an address with credentials", "  forge: gitea\n  url: https://a:b@git.example.com\n" + token, 6, "is not an address", "without credentials"},
		{"another scheme", "  forge: gitea\n  url: file:///etc\n" + token, 6, "is not an address", ""},
		{"an API with a query", "  forge: gitea\n  url: https://x\n  api: https://x/?y\n" + token, 7, "is not an address", ""},
		{"no credentials", "  forge: github\n", 4, "has no credentials", "or app"},
		{"both credentials", "  forge: github\n" + token + "  app: {id: 1, privateKey: {secretRef: default/k}}\n", 7, "both token and app", "keep one"},
		{"an app elsewhere", "  forge: gitlab\n  app: {id: 1, privateKey: {secretRef: default/k}}\n", 6, "only GitHub has apps", "token"},
		{"an app without a key", "  forge: github\n  app:\n    id: 1\n", 6, "is missing", "secret put"},
		{"two installations", "  forge: github\n  app:\n    id: 1\n    installation: 2\n    account: acme\n    privateKey: {secretRef: default/k}\n", 9, "both", "keep one"},
		{"a token in the document", "  forge: github\n  token:\n    secretRef: ghp_0123456789\n", 7, "does not name a secret", "SPACE/NAME"},
		{"a webhook without a secret", "  forge: github\n" + token + "  webhook: {}\n", 7, "is missing", "SPACE/NAME"},
		{"twice the same secret", "  forge: github\n" + token + "  webhook:\n    secretRef: default/w\n    previousSecretRef: default/w\n", 9, "the same secret", "leave it out"},
		{"no organization", "  forge: github\n" + token + "  owners:\n  - acme\n  - a/b\n", 9, "not an organization", ""},
		{"an organization twice", "  forge: gitlab\n" + token + "  owners: [a/b, A/b]\n", 7, "twice", "leave it out"},
		{"too many organizations", "  forge: github\n" + token + "  owners: [" + strings.Repeat("a,", 21) + "]\n", 7, "more than 20", "further integrations"},
		{"too often", "  forge: github\n" + token + "  poll:\n    interval: 5s\n", 8, "out of range", "1m to 24h"},
		{"no duration", "  forge: github\n" + token + "  poll:\n    interval: often\n", 8, "", ""},
	} {
		text := "apiVersion: roadbed.dev/v1\nkind: Integration\nmetadata: {name: x}\nspec:\n" + c.spec
		docs, err := document.Parse("forges/x.yaml", []byte(text), document.Limits{})
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		wrong := kind.Validate(docs[0])
		if len(wrong) != 1 {
			t.Errorf("%s: %v", c.name, wrong)
			continue
		}
		if d := wrong[0]; d.File != "forges/x.yaml" || d.Line != c.line || !strings.Contains(d.Message, c.message) || !strings.Contains(d.Hint, c.hint) || strings.Contains(d.String(), "ghp_") {
			t.Errorf("%s: %s; want line %d", c.name, d, c.line)
		}
	}
}

func TestWhatADocumentLeavesOut(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.declare("default", "default/hub", "{forge: github, token: {secretRef: default/t}}")
		b.declare("default", "default/lab", "{forge: gitlab, token: {secretRef: default/t#key}, url: 'https://GitLab.example.com/git/', poll: {interval: 1h}}")
		hub, lab := b.get("default/hub"), b.get("default/lab")
		if hub.Spec.URL != "https://github.com" || hub.Spec.Poll.Interval != 5*time.Minute {
			t.Errorf("%+v", hub.Spec)
		}
		if lab.Spec.URL != "https://gitlab.example.com/git" || lab.Spec.Poll.Interval != time.Hour {
			t.Errorf("%+v", lab.Spec)
		}
		b.work()
		if i := b.get("default/hub"); i.State != integration.Broken || !strings.Contains(i.Reason, "secret default/t ") {
			t.Errorf("without its secret: %s, %q", i.State, i.Reason)
		}
	})
}
