package registry

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash"
	"io"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

func configAt(now time.Time) *packet.Config {
	return &packet.Config{Time: func() time.Time { return now }}
}

const providerColumns = "ref, space, owner, title, description, spec, updated"

func scanProvider(row store.Row) (p Provider, err error) {
	var name, spec string
	var updated int64
	if err := row.Scan(&name, &p.Space, &p.Owner, &p.Title, &p.Description, &spec, &updated); err != nil {
		return p, err
	}
	p.Updated = store.FromMicros(updated)
	if p.Ref, err = ref.Parse(name, "provider", ref.DefaultNamespace); err != nil {
		return p, err
	}
	return p, fault.Wrap(json.Unmarshal([]byte(spec), &p.Spec), "read what is kept of %s", name)
}

const providerVersionColumns = "id, provider, version, protocols, sums, signature, fingerprint, actor, complete, yanked, yanked_by, yanked_at, created"

func scanProviderVersion(row store.Row) (v ProviderVersion, err error) {
	var provider, protocols, sums, signature string
	var complete int
	var yanked, created int64
	if err := row.Scan(&v.ID, &provider, &v.Version, &protocols, &sums, &signature, &v.Fingerprint, &v.Actor, &complete, &v.Yanked.Reason, &v.Yanked.Actor, &yanked, &created); err != nil {
		return v, err
	}
	v.Protocols, v.Complete, v.Created, v.sums = strings.Split(protocols, ","), complete == 1, store.FromMicros(created), []byte(sums)
	if yanked > 0 {
		v.Yanked.Time = store.FromMicros(yanked)
	}
	if v.signature, err = decoded(signature); err != nil {
		return v, err
	}
	v.Provider, err = ref.Parse(provider, "provider", ref.DefaultNamespace)
	return v, err
}

func getProviderVersion(ctx context.Context, tx *store.Tx, p Provider, version, lock string) (ProviderVersion, error) {
	v, err := store.One(tx.QueryRow(ctx, "SELECT "+providerVersionColumns+" FROM registry_provider_versions WHERE provider = $1 AND version = $2"+lock, p.Ref.String(), version),
		scanProviderVersion, "version %s of provider %s/%s", version, p.Ref.Namespace, p.Ref.Name)
	if err != nil {
		return v, err
	}
	return v, v.complete(ctx, tx, p)
}

// complete adds what stands beside the row of a version.
func (v *ProviderVersion) complete(ctx context.Context, tx *store.Tx, p Provider) error {
	_, _, listed := p.Spec.key(v.Fingerprint)
	v.Revoked = !listed
	rows, err := tx.Query(ctx, "SELECT os, arch, filename, sum, size, digest FROM registry_platforms WHERE version = $1 ORDER BY os, arch", v.ID)
	v.Platforms, err = store.Collect(rows, err, func(r store.Row) (p Platform, err error) {
		return p, r.Scan(&p.OS, &p.Arch, &p.Filename, &p.Sum, &p.Size, &p.Blob)
	})
	return fault.Wrap(err, "read the platforms of version %s", v.ID)
}

// Providers gives the providers that the reader may see, by reference. Permission: provider:read, as doc.go says; others are left out.
func (s *Service) Providers(ctx context.Context, part page.Request) (page.Of[Provider], error) {
	var none page.Of[Provider]
	eyes, err := s.sight(ctx, mayReadProviders)
	if err != nil {
		return none, err
	}
	var all, seen []Provider
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, "SELECT "+providerColumns+" FROM registry_providers ORDER BY ref")
		all, err = store.Collect(rows, err, scanProvider)
		return err
	})
	if err != nil {
		return none, fault.Wrap(err, "list providers")
	}
	for _, p := range all {
		may, err := eyes.sees(ctx, p.Space, p.Spec.ShareWith)
		if err != nil {
			return none, err
		}
		if may {
			seen = append(seen, p)
		}
	}
	return page.From(seen, part, func(p Provider) string { return p.Ref.String() }), nil
}

// Provider gives a provider. Permission: provider:read, as doc.go says; otherwise NotFound.
func (s *Service) Provider(ctx context.Context, r ref.Entity) (found Provider, err error) {
	err = s.readingProvider(ctx, "provider "+r.Namespace+"/"+r.Name, "ref = $1", []any{r.String()}, func(_ *store.Tx, p Provider) error {
		found = p
		return nil
	})
	return found, err
}

func (s *Service) readingProvider(ctx context.Context, what, where string, args []any, fn func(tx *store.Tx, p Provider) error) error {
	eyes, err := s.sight(ctx, mayReadProviders)
	if err != nil {
		return err
	}
	return s.DB.Read(ctx, func(tx *store.Tx) error {
		p, err := store.One(tx.QueryRow(ctx, "SELECT "+providerColumns+" FROM registry_providers WHERE "+where, args...), scanProvider, "%s", what)
		if err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
		may := false
		if err == nil {
			if may, err = eyes.sees(ctx, p.Space, p.Spec.ShareWith); err != nil {
				return err
			}
		}
		if !may {
			return access.NotFound(what)
		}
		return fn(tx, p)
	})
}

// ProviderVersions gives the versions of a provider, newest first. Permission: as Provider.
func (s *Service) ProviderVersions(ctx context.Context, r ref.Entity, part page.Request) (list page.Of[ProviderVersion], err error) {
	err = s.readingProvider(ctx, "provider "+r.Namespace+"/"+r.Name, "ref = $1", []any{r.String()}, func(tx *store.Tx, p Provider) error {
		if part.Cursor != "" && !ref.IsID(part.Cursor, providerVersionID) {
			return fault.Errorf(fault.Invalid, "cursor %q is not one that a list gave", part.Cursor)
		}
		w := &store.Where{}
		w.Equal("provider", r.String())
		w.Before("id", part.Cursor)
		rows, err := tx.Query(ctx, "SELECT "+providerVersionColumns+" FROM registry_provider_versions"+w.String()+"ORDER BY id DESC LIMIT "+w.Arg(part.Window()), w.Args...)
		all, err := store.Collect(rows, err, scanProviderVersion)
		list = page.Cut(all, part, func(v ProviderVersion) string { return v.ID })
		for i := range list.Items {
			if err == nil {
				err = list.Items[i].complete(ctx, tx, p)
			}
		}
		return err
	})
	return list, err
}

// publishing runs fn for a provider that the caller may change. Permission: provider:write in its space. Who may not see it gets NotFound.
func (s *Service) publishing(ctx context.Context, r ref.Entity, fn func(tx *store.Tx, p Provider) error) error {
	p, err := s.Provider(ctx, r)
	if err != nil {
		return err
	}
	if err := s.Access.Authorize(ctx, "provider:write", p.Space); err != nil {
		return err
	}
	space := p.Space
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		p, err := store.One(tx.QueryRow(ctx, "SELECT "+providerColumns+" FROM registry_providers WHERE ref = $1"+tx.ForUpdate(), r.String()), scanProvider, "provider %s/%s", r.Namespace, r.Name)
		if err != nil {
			return err
		}
		if p.Space != space {
			return fault.Errorf(fault.Conflict, "provider %s/%s has changed its space meanwhile; try again", r.Namespace, r.Name)
		}
		return fn(tx, p)
	})
}

// Publish begins a version of a provider by its signed sums; Upload brings the archives that they name. The same sums again give
// what is there. Permission: provider:write in the provider's space. Denied when no listed key has signed; Conflict for other
// sums of a version that there is.
func (s *Service) Publish(ctx context.Context, r ref.Entity, n Publication) (v ProviderVersion, err error) {
	err = s.publishing(ctx, r, func(tx *store.Tx, p Provider) error {
		if err := n.check(); err != nil {
			return err
		}
		platforms, err := readSums(n.Sums, p.Spec.Type, n.Version)
		if err != nil {
			return err
		}
		who, err := p.Spec.signer(n.Sums, n.Signature, s.Now())
		if err != nil {
			return err
		}
		v, err = getProviderVersion(ctx, tx, p, n.Version, "")
		if err == nil && !bytes.Equal(v.sums, n.Sums) {
			return fault.Errorf(fault.Conflict, "version %s is published already with other sums, and a version never changes; publish another", n.Version)
		}
		if err == nil || !fault.Is(err, fault.NotFound) {
			return err
		}
		now := s.Now()
		v = ProviderVersion{
			ID: ref.NewID(providerVersionID, now), Provider: p.Ref, Version: n.Version, Protocols: n.Protocols, Platforms: platforms, Fingerprint: who,
			Actor: actor.From(ctx).ID, Created: now, sums: n.Sums, signature: n.Signature,
		}
		_, err = tx.Exec(ctx, `INSERT INTO registry_provider_versions (id, provider, version, protocols, sums, signature, fingerprint, actor, created)
 VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9)`, v.ID, p.Ref.String(), v.Version, strings.Join(v.Protocols, ","), string(v.sums), encoded(v.signature), who, v.Actor, store.Micros(now))
		if err != nil {
			return fault.Wrap(err, "keep version %s of %s", v.Version, p.Ref)
		}
		for _, f := range platforms {
			if _, err := tx.Exec(ctx, "INSERT INTO registry_platforms (version, os, arch, filename, sum) VALUES ($1,$2,$3,$4,$5)", v.ID, f.OS, f.Arch, f.Filename, f.Sum); err != nil {
				return fault.Wrap(err, "keep platform %s of %s", f.key(), p.Ref)
			}
		}
		return s.noteIn(ctx, tx, p.Space, p.Ref, "provider.version-begun", map[string]any{"version": v.Version, "key": who})
	})
	return v, err
}

// Upload brings an archive of a version that Publish began. Permission: provider:write in the provider's space. Invalid when it is not the
// one that the sums name.
func (s *Service) Upload(ctx context.Context, r ref.Entity, version, system, arch string, content io.Reader) (v ProviderVersion, err error) {
	var at *Platform
	find := func(tx *store.Tx, p Provider) error {
		if v, err = getProviderVersion(ctx, tx, p, version, ""); err != nil {
			return err
		}
		at = nil
		for i := range v.Platforms {
			if f := &v.Platforms[i]; f.OS == system && f.Arch == arch {
				at = f
			}
		}
		if at == nil {
			return fault.Errorf(fault.NotFound, "the sums of version %s name no archive for %.20s_%.20s", version, system, arch)
		}
		return nil
	}
	if err := s.publishing(ctx, r, find); err != nil || at.Blob != "" {
		return v, err
	}
	digest, size, err := s.Blob.Put(ctx, &verified{Reader: content, sum: sha256.New(), want: at.Sum, name: at.Filename}, MostArchive)
	if err != nil {
		return v, err
	}
	err = s.publishing(ctx, r, func(tx *store.Tx, p Provider) error {
		if err := find(tx, p); err != nil {
			return err
		}
		at.Blob, at.Size = digest, size
		if _, err := tx.Exec(ctx, "UPDATE registry_platforms SET digest = $4, size = $5 WHERE version = $1 AND os = $2 AND arch = $3", v.ID, system, arch, digest, size); err != nil {
			return fault.Wrap(err, "keep %s", at.Filename)
		}
		for _, f := range v.Platforms {
			if f.Blob == "" {
				return nil
			}
		}
		if v.Complete {
			return nil
		}
		v.Complete = true
		if _, err := tx.Exec(ctx, "UPDATE registry_provider_versions SET complete = 1 WHERE id = $1", v.ID); err != nil {
			return fault.Wrap(err, "publish version %s", version)
		}
		return s.noteIn(ctx, tx, p.Space, p.Ref, "provider.version-published", map[string]any{"version": version})
	})
	return v, err
}

// verified gives what it reads, and at the end an error unless its sum is the one that is wanted.
type verified struct {
	io.Reader
	sum  hash.Hash
	want string
	name string
}

func (v *verified) Read(p []byte) (int, error) {
	n, err := v.Reader.Read(p)
	v.sum.Write(p[:n])
	if errors.Is(err, io.EOF) {
		if got := hex.EncodeToString(v.sum.Sum(nil)); got != v.want {
			return n, fault.Errorf(fault.Invalid, "%s has the SHA-256 %s, and the sums say %s; build and sign it anew, or send the right one", v.name, got, v.want)
		}
	}
	return n, err
}

// YankProvider takes a version of a provider back. Permission: provider:write in the provider's space.
func (s *Service) YankProvider(ctx context.Context, r ref.Entity, version, reason string) (ProviderVersion, error) {
	return s.setYanked(ctx, r, version, Yanked{reason, actor.From(ctx).ID, s.Now()}, providerYanked)
}

const providerYanked = "provider.version-yanked"

// RestoreProvider takes a yank back. Permission: provider:write in the provider's space.
func (s *Service) RestoreProvider(ctx context.Context, r ref.Entity, version string) (ProviderVersion, error) {
	return s.setYanked(ctx, r, version, Yanked{}, "provider.version-restored")
}

func (s *Service) setYanked(ctx context.Context, r ref.Entity, version string, y Yanked, kind string) (v ProviderVersion, err error) {
	err = s.publishing(ctx, r, func(tx *store.Tx, p Provider) error {
		if v, err = getProviderVersion(ctx, tx, p, version, tx.ForUpdate()); err != nil {
			return err
		}
		at := int64(0)
		if kind == providerYanked {
			if y.Reason, err = reasonOf(y.Reason); err != nil {
				return err
			}
		}
		switch {
		case y.Reason != "" && v.Yanked.Reason != "":
			return fault.Errorf(fault.Conflict, "version %s is yanked already: %s", version, v.Yanked.Reason)
		case y.Reason == "" && v.Yanked.Reason == "":
			return fault.Errorf(fault.Conflict, "version %s is not yanked", version)
		case y.Reason != "":
			at = store.Micros(y.Time)
		}
		v.Yanked = y
		if _, err := tx.Exec(ctx, "UPDATE registry_provider_versions SET yanked = $2, yanked_by = $3, yanked_at = $4 WHERE id = $1", v.ID, y.Reason, y.Actor, at); err != nil {
			return fault.Wrap(err, "yank version %s", version)
		}
		return s.noteIn(ctx, tx, p.Space, p.Ref, kind, map[string]any{"version": version, "reason": y.Reason})
	})
	return v, err
}

// OfferedProvider gives the versions of a provider that engines may choose. Permission: as Provider.
func (s *Service) OfferedProvider(ctx context.Context, space, kind string) (offered []ProviderVersion, err error) {
	err = s.readingProvider(ctx, "provider "+space+"/"+kind, "space = $1 AND type = $2", []any{space, kind}, func(tx *store.Tx, p Provider) error {
		rows, err := tx.Query(ctx, "SELECT "+providerVersionColumns+" FROM registry_provider_versions WHERE provider = $1 AND complete = 1 AND yanked = '' ORDER BY id DESC LIMIT $2", p.Ref.String(), mostVersions)
		all, err := store.Collect(rows, err, scanProviderVersion)
		if err != nil {
			return err
		}
		offered = nil
		for _, v := range all {
			if err := v.complete(ctx, tx, p); err != nil {
				return err
			}
			if v.Offered() {
				offered = append(offered, v)
			}
		}
		return nil
	})
	return offered, err
}

// ProviderPackage gives what engines are told of an archive; one of a yanked version too, since locks may name it. Permission: as
// Provider.
func (s *Service) ProviderPackage(ctx context.Context, space, kind, version, system, arch string) (found Package, err error) {
	err = s.readingProvider(ctx, "provider "+space+"/"+kind, "space = $1 AND type = $2", []any{space, kind}, func(tx *store.Tx, p Provider) error {
		v, err := getProviderVersion(ctx, tx, p, version, "")
		none := fault.Errorf(fault.NotFound, "provider %s/%s has no version %.120s for %.20s_%.20s", space, kind, version, system, arch)
		if fault.Is(err, fault.NotFound) || err == nil && (!v.Complete || v.Revoked) {
			return none
		}
		if err != nil {
			return err
		}
		armored, id, _ := p.Spec.key(v.Fingerprint)
		for _, f := range v.Platforms {
			if f.OS == system && f.Arch == arch {
				found = Package{Platform: f, Protocols: v.Protocols, KeyID: id, KeyArmor: armored, Sums: v.sums, Signature: v.signature}
				return nil
			}
		}
		return none
	})
	return found, err
}
