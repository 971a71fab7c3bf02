package registry

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

type signingKey struct {
	entity *openpgp.Entity
	public string
}

func newKey(t testing.TB) signingKey {
	t.Helper()
	e, err := openpgp.NewEntity("Release", "", "release@example.com", nil)
	if err != nil {
		t.Fatal(err)
	}
	return signingKey{e, armored(t, openpgp.PublicKeyType, func(w *bytes.Buffer) error { return e.Serialize(w) })}
}

func armored(t testing.TB, kind string, write func(w *bytes.Buffer) error) string {
	t.Helper()
	var plain, out bytes.Buffer
	if err := write(&plain); err != nil {
		t.Fatal(err)
	}
	w, err := armor.Encode(&out, kind, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(plain.Bytes()); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func (k signingKey) sign(t testing.TB, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := openpgp.DetachSign(&out, k.entity, bytes.NewReader(data), nil); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestOnlyAListedKeySigns(t *testing.T) {
	t.Parallel()
	ours, theirs, sums := newKey(t), newKey(t), []byte("sums")
	spec := ProviderSpec{SigningKeys: []string{newKey(t).public, ours.public}}
	now := time.Now().Add(time.Minute)
	who, err := spec.signer(sums, ours.sign(t, sums), now)
	if err != nil || who != fingerprint(ours.entity) {
		t.Errorf("the sums are signed by %s, %v", who, err)
	}
	if text, id, ok := spec.key(who); !ok || text != ours.public || id != ours.entity.PrimaryKey.KeyIdString() {
		t.Errorf("the key of %s is %q", who, id)
	}
	for what, c := range map[string]struct{ sums, signature []byte }{
		"another key":    {sums, theirs.sign(t, sums)},
		"other sums":     {[]byte("sumz"), ours.sign(t, sums)},
		"no signature":   {sums, []byte("nothing")},
		"cut short":      {sums, ours.sign(t, sums)[:20]},
		"something else": {sums, bytes.Repeat([]byte{0xff}, 1000)},
	} {
		if _, err := spec.signer(c.sums, c.signature, now); !fault.Is(err, fault.Denied) {
			t.Errorf("%s: %v", what, err)
		}
	}
	text := armored(t, openpgp.SignatureType, func(w *bytes.Buffer) error { return openpgp.DetachSign(w, ours.entity, bytes.NewReader(sums), nil) })
	if _, err := spec.signer(sums, []byte(text), now); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "armor") {
		t.Errorf("in armor: %v", err)
	}
	private := armored(t, openpgp.PrivateKeyType, func(w *bytes.Buffer) error { return ours.entity.SerializePrivate(w, nil) })
	for what, text := range map[string]string{"private": private, "armor": "no key", "longer": strings.Repeat("a", mostKey+1)} {
		if _, err := readKey(text); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestSumsNameTheArchivesOfTheirVersion(t *testing.T) {
	t.Parallel()
	sum := strings.Repeat("ab", 32)
	line := func(name string) string { return sum + "  " + name + "\n" }
	good := line("terraform-provider-cloud_1.0.0_linux_amd64.zip") + line("terraform-provider-cloud_1.0.0_darwin_arm64.zip") + line("terraform-provider-cloud_1.0.0_manifest.json")
	platforms, err := readSums([]byte(good), "cloud", "1.0.0")
	if err != nil || len(platforms) != 2 || platforms[1].OS != "darwin" || platforms[1].Arch != "arm64" || platforms[0].Sum != sum {
		t.Errorf("they name %+v, %v", platforms, err)
	}
	many := ""
	for i := range mostPlatform + 1 {
		many += line(fmt.Sprintf("terraform-provider-cloud_1.0.0_linux_a%d.zip", i))
	}
	for what, text := range map[string]string{
		"another version": line("terraform-provider-cloud_1.0.1_linux_amd64.zip"),
		"another":         line("terraform-provider-other_1.0.0_linux_amd64.zip"),
		"traversal":       line("terraform-provider-cloud_1.0.0_../../x_amd64.zip"),
		"folder":          line("/terraform-provider-cloud_1.0.0_linux_amd64.zip"),
		"twice":           good + line("terraform-provider-cloud_1.0.0_linux_amd64.zip"),
		"upper case":      strings.ToUpper(sum) + "  terraform-provider-cloud_1.0.0_linux_amd64.zip",
		"short":           "abcd  terraform-provider-cloud_1.0.0_linux_amd64.zip",
		"nothing":         "",
		"only a manifest": line("terraform-provider-cloud_1.0.0_manifest.json"),
		"many":            many,
		"long":            strings.Repeat("a", MostSums+1),
	} {
		if p, err := readSums([]byte(text), "cloud", "1.0.0"); !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.TooLarge) {
			t.Errorf("%s: %v, %v", what, p, err)
		}
	}
}
