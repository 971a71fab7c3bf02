package oci

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// LocalName is the registry host by which manifests and commands name the embedded registry, wherever it listens.
const LocalName = "registry.local"

var (
	componentPattern = `[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*`
	namePattern      = regexp.MustCompile(`^` + componentPattern + `(?:/` + componentPattern + `)*$`)
	tagPattern       = regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$`)
)

// maxName is what common clients accept for a repository's name.
const maxName = 255

// CheckName tells whether name may name a repository (the distribution specification's pattern, at most 255 characters).
func CheckName(name string) error {
	if len(name) > maxName || !namePattern.MatchString(name) {
		return fault.Errorf(fault.Invalid, "%q is not a repository name; write lower-case parts joined by '/', such as team/shop", clip(name))
	}
	return nil
}

// CheckTag tells whether tag may be a tag.
func CheckTag(tag string) error {
	if !tagPattern.MatchString(tag) {
		return fault.Errorf(fault.Invalid, "%q is not a tag; use letters, digits, '_', '.', '-', at most 128", clip(tag))
	}
	return nil
}

// Digest is "sha256:" and 64 lower-case hexadecimal digits; other algorithms are refused.
type Digest string

// ParseDigest reads a digest.
func ParseDigest(s string) (Digest, error) {
	digits, found := strings.CutPrefix(s, "sha256:")
	if !found || len(digits) != 2*sha256.Size || strings.Trim(digits, "0123456789abcdef") != "" {
		return "", fault.Errorf(fault.Invalid, "%q is not a digest; write sha256: and 64 lower-case hexadecimal digits", clip(s))
	}
	return Digest(s), nil
}

func digestOf(p []byte) Digest {
	sum := sha256.Sum256(p)
	return Digest("sha256:" + hex.EncodeToString(sum[:]))
}

// hex gives the digits alone.
func (d Digest) hex() string { return strings.TrimPrefix(string(d), "sha256:") }

// Reference is an image's place: host, repository, and a tag or a digest (or both; then the digest decides).
type Reference struct {
	Host, Repository, Tag string
	Digest                Digest
}

// ParseReference reads HOST/REPOSITORY[:TAG][@DIGEST]. The host may not be left out: no registry is assumed.
func ParseReference(s string) (Reference, error) {
	bad := func(why string) (Reference, error) {
		return Reference{}, fault.Errorf(fault.Invalid, "%q is not an image reference: %s; write HOST/NAME:TAG or HOST/NAME@sha256:…", clip(s), why)
	}
	var r Reference
	rest := s
	if before, digest, found := strings.Cut(rest, "@"); found {
		d, err := ParseDigest(digest)
		if err != nil {
			return bad("what follows '@' is not a digest")
		}
		r.Digest, rest = d, before
	}
	host, path, found := strings.Cut(rest, "/")
	if !found || host == "" {
		return bad("it has no host")
	}
	if host != "localhost" && !strings.ContainsAny(host, ".:") {
		return bad("its first part is not a host")
	}
	if strings.Trim(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]") != "" || len(host) > 255 {
		return bad("its host has characters that a host can't have")
	}
	r.Host = host
	name, tag, tagged := strings.Cut(path, ":")
	if tagged {
		if CheckTag(tag) != nil {
			return bad("what follows ':' is not a tag")
		}
		r.Tag = tag
	}
	if CheckName(name) != nil {
		return bad("its repository is not a legal name")
	}
	r.Repository = name
	if r.Tag == "" && r.Digest == "" {
		r.Tag = "latest"
	}
	return r, nil
}

// String gives the reference in full.
func (r Reference) String() string {
	s := r.Host + "/" + r.Repository
	if r.Tag != "" {
		s += ":" + r.Tag
	}
	if r.Digest != "" {
		s += "@" + string(r.Digest)
	}
	return s
}

// clip keeps what a stranger sent short enough for a message.
func clip(s string) string {
	if len(s) > 120 {
		return s[:120] + "…"
	}
	return s
}
