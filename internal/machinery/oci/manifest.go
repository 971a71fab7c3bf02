package oci

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"sort"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Media types of the manifests that the registry takes.
const (
	TypeImage       = "application/vnd.oci.image.manifest.v1+json"
	TypeIndex       = "application/vnd.oci.image.index.v1+json"
	TypeDockerImage = "application/vnd.docker.distribution.manifest.v2+json"
	TypeDockerList  = "application/vnd.docker.distribution.manifest.list.v2+json"
)

// maxParts bounds the layers of a manifest and the manifests of an index.
const maxParts = 4096

// Descriptor names a piece of content within a manifest.
type Descriptor struct {
	MediaType    string            `json:"mediaType"`
	Digest       Digest            `json:"digest"`
	Size         int64             `json:"size"`
	URLs         []string          `json:"urls,omitempty"`
	ArtifactType string            `json:"artifactType,omitempty"`
	Annotations  map[string]string `json:"annotations,omitempty"`
	Platform     *Platform         `json:"platform,omitempty"`
}

// Platform is what an image of an index is built for.
type Platform struct {
	Architecture string `json:"architecture"`
	OS           string `json:"os"`
	Variant      string `json:"variant,omitempty"`
}

// document is what the registry reads of a manifest or an index.
type document struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType"`
	ArtifactType  string            `json:"artifactType"`
	Config        *Descriptor       `json:"config"`
	Layers        []Descriptor      `json:"layers"`
	Manifests     []Descriptor      `json:"manifests"`
	Subject       *Descriptor       `json:"subject"`
	Annotations   map[string]string `json:"annotations"`
}

// Manifest is a stored manifest, its bytes as they were pushed.
type Manifest struct {
	Digest    Digest
	MediaType string
	Content   []byte
	Subject   Digest // what it is about (a signature, an SBOM), or ""
}

// parseManifest reads a manifest of mediaType, which may be "" when the document says it itself.
func parseManifest(mediaType string, content []byte) (document, string, error) {
	var d document
	bad := func(format string, args ...any) (document, string, error) {
		return document{}, "", fault.Errorf(fault.Invalid, "the manifest is wrong: "+format, args...)
	}
	if err := json.Unmarshal(content, &d); err != nil {
		return bad("%w", err)
	}
	if mediaType == "" {
		mediaType = d.MediaType
	}
	if d.MediaType != "" && d.MediaType != mediaType {
		return bad("it says that it is %q, but was sent as %q", clip(d.MediaType), clip(mediaType))
	}
	if d.SchemaVersion != 2 {
		return bad("schemaVersion must be 2")
	}
	parts := d.Layers
	switch mediaType {
	case TypeImage, TypeDockerImage:
		if d.Config == nil || len(d.Manifests) > 0 {
			return bad("an image has a config and layers, and no manifests")
		}
		parts = append([]Descriptor{*d.Config}, parts...)
	case TypeIndex, TypeDockerList:
		if d.Config != nil || len(d.Layers) > 0 {
			return bad("an index has manifests, and neither config nor layers")
		}
		parts = d.Manifests
	default:
		return bad("its media type %q is not one of an OCI or Docker (schema 2) image or index", clip(mediaType))
	}
	if len(parts) > maxParts {
		return bad("it names over %d parts", maxParts)
	}
	if d.Subject != nil {
		parts = append(parts[:len(parts):len(parts)], *d.Subject)
	}
	for _, p := range parts {
		if _, err := ParseDigest(string(p.Digest)); err != nil {
			return bad("%w", err)
		}
		if p.Size < 0 {
			return bad("the size of %s is negative", p.Digest)
		}
	}
	return d, mediaType, nil
}

// PutManifest stores a manifest under a tag or its own digest. Everything that it names must be in the repository
// already (its subject need not be). Invalid when it is malformed or names what is missing.
func (r *Registry) PutManifest(ctx context.Context, name, reference, mediaType string, body io.Reader) (Manifest, error) {
	if err := CheckName(name); err != nil {
		return Manifest{}, err
	}
	tag, want, err := parseTarget(reference)
	if err != nil {
		return Manifest{}, err
	}
	content, err := io.ReadAll(io.LimitReader(cancelReader{ctx, body}, r.o.MaxManifest+1))
	if err != nil {
		return Manifest{}, fault.Wrap(err, "receive the manifest")
	}
	if int64(len(content)) > r.o.MaxManifest {
		return Manifest{}, fault.Errorf(fault.TooLarge, "the manifest is over %d bytes", r.o.MaxManifest)
	}
	m := Manifest{Digest: digestOf(content), Content: content}
	if want != "" && want != m.Digest {
		return Manifest{}, fault.Errorf(fault.Invalid, "the manifest has digest %s, not %s", m.Digest, want)
	}
	doc, mediaType, err := parseManifest(mediaType, content)
	if err != nil {
		return Manifest{}, err
	}
	m.MediaType = mediaType
	if doc.Subject != nil {
		m.Subject = doc.Subject.Digest
	}

	r.sweep.RLock()
	defer r.sweep.RUnlock()
	if err := r.keepParts(name, doc); err != nil {
		return Manifest{}, err
	}
	if err := r.storeManifest(name, m); err != nil {
		return Manifest{}, fault.Wrap(err, "store the manifest")
	}
	if tag != "" {
		if err := r.writeFile(tagPath(name, tag), []byte(m.Digest)); err != nil {
			return Manifest{}, fault.Wrap(err, "store the tag")
		}
	}
	return m, nil
}

func parseTarget(reference string) (tag string, d Digest, err error) {
	if strings.Contains(reference, ":") {
		d, err = ParseDigest(reference)
		return "", d, err
	}
	return reference, "", CheckTag(reference)
}

// keepParts checks that the repository has what doc names, and keeps it from Collect until the manifest is linked.
func (r *Registry) keepParts(name string, doc document) error {
	var missing []fault.Detail
	check := func(p Descriptor, link string) error {
		if r.exists(link) {
			err := r.touch(blobPath(p.Digest))
			if err == nil || !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		missing = append(missing, fault.Detail{Field: string(p.Digest), Message: "is not in repository " + name, Hint: "push it first"})
		return nil
	}
	if doc.Config != nil {
		if err := check(*doc.Config, blobLink(name, doc.Config.Digest)); err != nil {
			return err
		}
	}
	for _, p := range doc.Layers {
		if len(p.URLs) > 0 && strings.Contains(p.MediaType, "foreign") || strings.Contains(p.MediaType, "nondistributable") {
			continue // such a layer is fetched elsewhere, by its definition
		}
		if err := check(p, blobLink(name, p.Digest)); err != nil {
			return err
		}
	}
	for _, p := range doc.Manifests {
		if err := check(p, manifestLink(name, p.Digest)); err != nil {
			return err
		}
	}
	if len(missing) > 0 {
		return fault.At("the manifest names content that is missing", missing...)
	}
	return nil
}

func (r *Registry) storeManifest(name string, m Manifest) error {
	if !r.exists(blobPath(m.Digest)) {
		if err := r.writeFile(blobPath(m.Digest), m.Content); err != nil {
			return err
		}
	}
	if err := r.touch(blobPath(m.Digest)); err != nil {
		return err
	}
	if m.Subject != "" { // before the manifest itself: a referrer without a manifest is skipped, the reverse is lost
		if err := r.writeFile(referrerLink(name, m.Subject, m.Digest), nil); err != nil {
			return err
		}
	}
	return r.writeFile(manifestLink(name, m.Digest), []byte(m.MediaType))
}

// Resolve gives the digest of a tag or digest of the repository. NotFound when there is no such manifest.
func (r *Registry) Resolve(_ context.Context, name, reference string) (Digest, error) {
	if err := CheckName(name); err != nil {
		return "", err
	}
	tag, d, err := parseTarget(reference)
	if err != nil {
		return "", err
	}
	if tag != "" {
		content, err := r.root.ReadFile(tagPath(name, tag))
		if err != nil {
			return "", notFound(err, "repository %s, tag %s", name, tag)
		}
		if d, err = ParseDigest(string(content)); err != nil {
			return "", fault.Errorf(fault.Internal, "repository %s, tag %s: the file holds no digest", name, tag)
		}
	}
	if !r.exists(manifestLink(name, d)) {
		return "", fault.Errorf(fault.NotFound, "repository %s has no manifest %s", name, d)
	}
	return d, nil
}

// Manifest gives a manifest by tag or digest.
func (r *Registry) Manifest(ctx context.Context, name, reference string) (Manifest, error) {
	d, err := r.Resolve(ctx, name, reference)
	if err != nil {
		return Manifest{}, err
	}
	mediaType, err := r.root.ReadFile(manifestLink(name, d))
	if err != nil {
		return Manifest{}, notFound(err, "repository %s, manifest %s", name, d)
	}
	content, err := r.root.ReadFile(blobPath(d))
	if err != nil {
		return Manifest{}, notFound(err, "repository %s, manifest %s", name, d)
	}
	if digestOf(content) != d {
		return Manifest{}, fault.Errorf(fault.Internal, "repository %s: the stored manifest %s has other content; push it again", name, d)
	}
	m := Manifest{Digest: d, MediaType: string(mediaType), Content: content}
	if doc, _, err := parseManifest(m.MediaType, content); err == nil && doc.Subject != nil {
		m.Subject = doc.Subject.Digest
	}
	return m, nil
}

// DeleteManifest removes a tag, or a manifest with every tag that names it.
func (r *Registry) DeleteManifest(ctx context.Context, name, reference string) error {
	m, err := r.Manifest(ctx, name, reference)
	if err != nil {
		return err
	}
	if string(m.Digest) != reference {
		return fault.Wrap(r.root.Remove(tagPath(name, reference)), "delete tag %s of %s", reference, name)
	}
	tags, err := r.tagNames(name)
	if err != nil {
		return err
	}
	for _, tag := range tags { // tags first: a tag never names what is gone
		content, err := r.root.ReadFile(tagPath(name, tag))
		if err == nil && bytes.Equal(content, []byte(m.Digest)) {
			if err := r.root.Remove(tagPath(name, tag)); err != nil {
				return fault.Wrap(err, "delete tag %s of %s", tag, name)
			}
		}
	}
	if m.Subject != "" {
		if err := r.root.Remove(referrerLink(name, m.Subject, m.Digest)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fault.Wrap(err, "delete manifest %s of %s", m.Digest, name)
		}
	}
	return fault.Wrap(r.root.Remove(manifestLink(name, m.Digest)), "delete manifest %s of %s", m.Digest, name)
}

// Tags gives at most limit tags after last, in order, and whether there are more. NotFound when the repository
// has never had a manifest.
func (r *Registry) Tags(_ context.Context, name, last string, limit int) (tags []string, more bool, err error) {
	if err := CheckName(name); err != nil {
		return nil, false, err
	}
	if !r.exists(repositoryPath(name) + "/_manifests") {
		return nil, false, fault.Errorf(fault.NotFound, "there is no repository %s", name)
	}
	all, err := r.tagNames(name)
	if err != nil {
		return nil, false, err
	}
	from := sort.SearchStrings(all, last)
	if from < len(all) && all[from] == last {
		from++
	}
	all = all[from:]
	if limit >= 0 && len(all) > limit {
		return all[:limit], true, nil
	}
	return all, false, nil
}

// tagNames gives the tags in order of their bytes.
func (r *Registry) tagNames(name string) ([]string, error) {
	return r.names(repositoryPath(name) + "/_tags")
}

func (r *Registry) names(dir string) ([]string, error) {
	entries, err := fs.ReadDir(r.root.FS(), dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fault.Wrap(err, "list %s", dir)
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, nil
}

// maxReferrers bounds one answer of Referrers.
const maxReferrers = 1000

// Referrers gives the manifests of the repository whose subject is d, at most 1,000; of one artifact type unless
// that is "".
func (r *Registry) Referrers(ctx context.Context, name string, d Digest, artifactType string) ([]Descriptor, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	names, err := r.names(repositoryPath(name) + "/_referrers/" + d.hex())
	if err != nil {
		return nil, err
	}
	found := []Descriptor{}
	for _, hex := range names {
		m, err := r.Manifest(ctx, name, "sha256:"+hex)
		if fault.Is(err, fault.NotFound) || fault.Is(err, fault.Invalid) {
			continue
		}
		if err != nil {
			return nil, err
		}
		doc, _, err := parseManifest(m.MediaType, m.Content)
		if err != nil {
			continue
		}
		kind := doc.ArtifactType
		if kind == "" && doc.Config != nil {
			kind = doc.Config.MediaType
		}
		if artifactType != "" && kind != artifactType {
			continue
		}
		found = append(found, Descriptor{
			MediaType: m.MediaType, Digest: m.Digest, Size: int64(len(m.Content)),
			ArtifactType: kind, Annotations: doc.Annotations,
		})
		if len(found) == maxReferrers {
			break
		}
	}
	return found, nil
}
