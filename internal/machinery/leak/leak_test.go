package leak_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/leak"
)

// random gives text that looks like a secret, and is none of anybody's.
func random(n int, alphabet string) string {
	source := rand.New(rand.NewPCG(7, uint64(n)))
	var b strings.Builder
	for range n {
		b.WriteByte(alphabet[source.IntN(len(alphabet))])
	}
	return b.String()
}

const (
	letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	upper   = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	bech    = "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L"
)

func TestFind(t *testing.T) {
	t.Parallel()
	f := leak.New()
	pem := func(kind string) string {
		return "-----BEGIN " + kind + "-----\n" + random(64, letters) + "\n" + random(64, letters) + "\n-----END " + kind + "-----\n"
	}
	for what, c := range map[string]struct{ content, rule string }{
		"a key of RSA":           {pem("RSA PRIVATE KEY"), "private key"},
		"a key of OpenSSH":       {pem("OPENSSH PRIVATE KEY"), "private key"},
		"a key in JSON":          {`{"private_key": "` + strings.ReplaceAll(pem("PRIVATE KEY"), "\n", `\n`) + `"}`, "private key"},
		"an age key":             {"# public key: age1x\nAGE-SECRET-KEY-1" + random(58, bech), "age key"},
		"a key of AWS":           {"key = AKIA" + random(16, upper), "AWS access key"},
		"a secret of AWS":        {"aws_secret_access_key = " + random(40, letters), "AWS secret key"},
		"a key of Google":        {`apiKey: "AIza` + random(35, letters) + `"`, "Google API key"},
		"a token of GitHub":      {"export GH=ghp_" + random(36, letters), "GitHub token"},
		"a fine one of GitHub":   {"github_pat_" + random(82, letters), "GitHub token"},
		"a token of GitLab":      {"glpat-" + random(20, letters), "GitLab token"},
		"a token of Slack":       {"xoxb-920394857162-" + random(24, letters), "Slack token"},
		"a webhook of Slack":     {"https://hooks.slack.com/services/T0ABCDEFG/B0ABCDEFG/" + random(24, letters), "Slack webhook"},
		"a token of npm":         {"//registry.example/:_authToken=npm_" + random(36, letters), "npm token"},
		"a token of ours":        {"ROADBED_TOKEN=rbt_" + random(43, letters), "Roadbed token"},
		"a token of an agent":    {"token: rba_" + random(43, letters), "Roadbed token"},
		"a password":             {`DB_PASSWORD = "` + random(32, letters) + `"`, "secret value"},
		"a secret in YAML":       {`  client-secret: '` + random(40, letters) + `'`, "secret value"},
		"a JSON web token":       {"curl -H 'Authorization: Bearer eyJ" + random(30, letters) + ".eyJ" + random(60, letters) + "." + random(43, letters) + "'", "JSON web token"},
		"one after another line": {"a\nb\r\nghp_" + random(36, letters) + "\n", "GitHub token"},
	} {
		found := f.Find([]byte(c.content))
		if len(found) == 0 || found[0].Rule != c.rule {
			t.Errorf("%s: found %+v, want %s", what, found, c.rule)
			continue
		}
		if lines := strings.Split(c.content, "\n"); c.rule == "private key" && !strings.Contains(lines[found[0].Line-1], "BEGIN") {
			t.Errorf("%s: it is in line %d", what, found[0].Line)
		}
		if found := f.Find([]byte("# " + leak.Allow + ": a test\n" + c.content)); len(found) > 0 && !strings.Contains(c.content, "\n") {
			t.Errorf("%s: allowed, it is still found: %+v", what, found)
		}
	}
}

func TestFindPassesOverWhatIsNone(t *testing.T) {
	t.Parallel()
	f := leak.New()
	for what, content := range map[string]string{
		"a mention of a key":    "It begins with -----BEGIN PRIVATE KEY----- and ends with -----END PRIVATE KEY-----.",
		"a public key":          "-----BEGIN PUBLIC KEY-----\n" + random(64, letters) + "\n",
		"the example of AWS":    "AKIAIOSFODNN7EXAMPLE",
		"a token of one letter": "ghp_" + strings.Repeat("a", 36),
		"a variable":            `password = "${DATABASE_PASSWORD_OF_THE_SERVER}"`,
		"a path":                `token: "/var/run/secrets/kubernetes.io/serviceaccount"`,
		"words":                 `secretName: "the-secret-of-the-service-of-the-shop"`,
		"a class name":          `tokenStore = "com.example.security.InMemoryTokenStoreFactory2"`,
		"a checksum":            `"integrity": "sha512-` + random(86, letters) + `=="`,
		"a hash":                `token_hash = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b"`,
		"a camel case name":     `SecretKey: "ThisIsOnlyTheNameOfAConfigurationValue1"`,
		"a binary file":         "\x00ghp_" + random(36, letters),
		"a minified program":    strings.Repeat("x", 5000) + `;token="` + random(32, letters) + `"`,
		"an example":            "npm_xxxx" + random(32, letters),
	} {
		if found := f.Find([]byte(content)); len(found) > 0 {
			t.Errorf("%s: found %+v", what, found)
		}
	}
	if found := f.Find([]byte(strings.Repeat("ghp_"+random(36, letters)+"\n", 100))); len(found) != 20 || found[19].Line != 20 {
		t.Errorf("of 100 there are %d: %+v", len(found), found)
	}
}

func FuzzFind(f *testing.F) {
	f.Add([]byte("password: \"" + random(32, letters) + "\""))
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\n" + random(64, letters)))
	finder := leak.New()
	f.Fuzz(func(t *testing.T, content []byte) {
		lines := strings.Count(string(content), "\n") + 1
		for _, found := range finder.Find(content) {
			if found.Line < 1 || found.Line > lines || found.Rule == "" {
				t.Error(fmt.Sprint(found))
			}
		}
	})
}

func BenchmarkFind(b *testing.B) {
	finder := leak.New()
	content := []byte(strings.Repeat("func token(key string) error { return errors.New(\"the secret: none\") }\n", 10_000))
	b.SetBytes(int64(len(content)))
	for b.Loop() {
		finder.Find(content)
	}
}
