package registry

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Provider is the projection of a Provider document.
type Provider struct {
	Ref         ref.Entity
	Space       string // with the type its address
	Owner       string
	Title       string
	Description string
	Spec        ProviderSpec
	Updated     time.Time
}

// ProviderVersion is one version of a provider.
type ProviderVersion struct {
	ID          string // pvv_…
	Provider    ref.Entity
	Version     string
	Protocols   []string
	Platforms   []Platform
	Fingerprint string // of the key that signed its sums, in hex
	Revoked     bool   // the document lists that key no more
	Complete    bool   // all archives are there
	Yanked      Yanked
	Actor       string
	Created     time.Time

	sums, signature []byte
}

// Offered tells whether engines may choose the version.
func (v ProviderVersion) Offered() bool { return v.Complete && !v.Revoked && v.Yanked.Reason == "" }

// Platform is an archive of a version.
type Platform struct {
	OS, Arch string
	Filename string
	Sum      string // SHA-256, in hex
	Size     int64  // 0 until it is uploaded
	Blob     string // digest; "" until then
}

// Bounds of what is published.
const (
	MostSums     = 64 << 10  // bytes
	MostArchive  = 512 << 20 // bytes
	mostPlatform = 100
)

var (
	protocolPattern = regexp.MustCompile(`^[1-9][0-9]?\.[0-9]{1,2}$`)
	platformPattern = regexp.MustCompile(`^[a-z0-9]{1,20}$`)
)

// readKey reads one public key in ASCII armor.
func readKey(armored string) (*openpgp.Entity, error) {
	if len(armored) > mostKey {
		return nil, fault.Errorf(fault.Invalid, "it is longer than %d bytes", mostKey)
	}
	keys, err := openpgp.ReadArmoredKeyRing(strings.NewReader(armored))
	switch {
	case err != nil:
		return nil, fault.Errorf(fault.Invalid, "it is no public key of OpenPGP in ASCII armor: %w", err)
	case len(keys) != 1:
		return nil, fault.Errorf(fault.Invalid, "it holds %d keys; write each for itself", len(keys))
	case keys[0].PrivateKey != nil:
		return nil, fault.Errorf(fault.Invalid, "it is a private key; paste the public one, and replace this one, since others may have read it")
	}
	return keys[0], nil
}

func fingerprint(key *openpgp.Entity) string { return hex.EncodeToString(key.PrimaryKey.Fingerprint) }

// signer gives the fingerprint of the key of a provider that signed its sums. Denied when none did.
func (s ProviderSpec) signer(sums, signature []byte, now time.Time) (string, error) {
	if block, err := armor.Decode(bytes.NewReader(signature)); err == nil {
		return "", fault.Errorf(fault.Invalid, "the signature is in ASCII armor (%s), which engines don't read; make it by gpg --detach-sign without --armor", block.Type)
	}
	why := error(nil)
	for _, armored := range s.SigningKeys {
		key, err := readKey(armored)
		if err != nil {
			continue // it was checked when the document came
		}
		_, err = openpgp.CheckDetachedSignature(openpgp.EntityList{key}, bytes.NewReader(sums), bytes.NewReader(signature), configAt(now))
		if err == nil {
			return fingerprint(key), nil
		}
		why = err
	}
	return "", fault.Errorf(fault.Denied, "no key that the provider's document lists has signed these sums: %v; sign them with one of those, or add the key to spec.signingKeys", why)
}

// key gives the listed key with a fingerprint, as it is written.
func (s ProviderSpec) key(want string) (armored, id string, ok bool) {
	for _, armored := range s.SigningKeys {
		if key, err := readKey(armored); err == nil && fingerprint(key) == want {
			return armored, key.PrimaryKey.KeyIdString(), true
		}
	}
	return "", "", false
}

// KeyInfo is what people see of a key.
type KeyInfo struct{ ID, Fingerprint, Identity string }

// Keys gives the keys that a provider lists.
func (s ProviderSpec) Keys() (keys []KeyInfo) {
	for _, armored := range s.SigningKeys {
		key, err := readKey(armored)
		if err != nil {
			continue // it was checked when the document came
		}
		info := KeyInfo{ID: key.PrimaryKey.KeyIdString(), Fingerprint: fingerprint(key)}
		for _, name := range sortedKeys(key.Identities) {
			info.Identity = clipText(name, 200)
			break
		}
		keys = append(keys, info)
	}
	return keys
}

// readSums reads the sums of a version: lines of a sum and a name, as sha256sum writes them.
func readSums(sums []byte, kind, version string) (platforms []Platform, err error) {
	if len(sums) > MostSums {
		return nil, fault.Errorf(fault.TooLarge, "the sums are longer than %d bytes", MostSums)
	}
	prefix := "terraform-provider-" + kind + "_" + version + "_"
	for n, line := range strings.Split(strings.TrimSpace(string(sums)), "\n") {
		fields := strings.Fields(line)
		if len(fields) != 2 {
			return nil, fault.Errorf(fault.Invalid, "line %d of the sums is not a sum and a name", n+1)
		}
		sum, name := fields[0], strings.TrimPrefix(fields[1], "*")
		if raw, err := hex.DecodeString(sum); err != nil || len(raw) != 32 || sum != strings.ToLower(sum) {
			return nil, fault.Errorf(fault.Invalid, "line %d of the sums has no SHA-256 in lower-case hex", n+1)
		}
		if name == prefix+"manifest.json" {
			continue
		}
		middle, isZip := strings.CutSuffix(strings.TrimPrefix(name, prefix), ".zip")
		system, arch, both := strings.Cut(middle, "_")
		if !strings.HasPrefix(name, prefix) || !isZip || !both || !platformPattern.MatchString(system) || !platformPattern.MatchString(arch) {
			return nil, fault.Errorf(fault.Invalid, "line %d of the sums names %.200q; archives of this version are called %sOS_ARCH.zip", n+1, name, prefix)
		}
		if slices.ContainsFunc(platforms, func(p Platform) bool { return p.OS == system && p.Arch == arch }) {
			return nil, fault.Errorf(fault.Invalid, "the sums name %s twice", name)
		}
		platforms = append(platforms, Platform{OS: system, Arch: arch, Filename: name, Sum: sum})
	}
	if len(platforms) == 0 || len(platforms) > mostPlatform {
		return nil, fault.Errorf(fault.Invalid, "the sums name %d archives; a version has 1 to %d", len(platforms), mostPlatform)
	}
	return platforms, nil
}

// Publication is what begins a version of a provider.
type Publication struct {
	Version   string
	Protocols []string // of plugins; 5.0 when there are none
	Sums      []byte
	Signature []byte // binary
}

func (p *Publication) check() error {
	p.Version = strings.TrimPrefix(p.Version, "v")
	if !ValidVersion(p.Version) {
		return fault.Errorf(fault.Invalid, "%.80q is no version; write it like 1.2.0", p.Version)
	}
	if len(p.Protocols) == 0 {
		p.Protocols = []string{"5.0"}
	}
	for i, protocol := range p.Protocols {
		if !protocolPattern.MatchString(protocol) || i >= 10 {
			return fault.Errorf(fault.Invalid, "%.20q is no version of a plugin protocol; write them like 5.0 or 6.0", protocol)
		}
	}
	if len(p.Signature) == 0 || len(p.Signature) > 16<<10 {
		return fault.Errorf(fault.Invalid, "the signature has %d bytes", len(p.Signature))
	}
	return nil
}

// Package is what engines are told of an archive.
type Package struct {
	Platform
	Protocols       []string
	KeyID, KeyArmor string
	Sums, Signature []byte
}

func (p Platform) key() string { return p.OS + "_" + p.Arch }

func encoded(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

func decoded(text string) ([]byte, error) {
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("read a signature: %w", err)
	}
	return b, nil
}
