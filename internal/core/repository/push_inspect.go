package repository

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/leak"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Bounds of the look at what a push brings.
const (
	secretFile   = 1 << 20   // a larger file is not searched for secrets
	secretBytes  = 128 << 20 // of all that is searched
	bigPush      = 32 << 20  // a push of so much is worth packing the repository
	pointersMost = 20_000    // pointers of Git LFS that are looked up
	shownMost    = 10        // findings that are told
	locatedMost  = 40        // files with findings whose commits are looked for
	configsMost  = 20        // references whose configuration is read
)

// configFile says in a repository what holds for it.
const configFile = ".roadbed/config.yml"

// Leak is a secret in what was pushed, without the secret.
type Leak struct {
	Rule   string `json:"rule"`
	Commit string `json:"commit"`
	Path   string `json:"path"`
	Line   int    `json:"line"`
}

func (l Leak) String() string {
	return fmt.Sprintf("%s:%d at %.10s: %s", l.Path, l.Line, l.Commit, l.Rule)
}

// look is what is found in a push before any lock is taken.
type look struct {
	s        *Service
	r        Repository
	in       git.Incoming
	limits   Limits
	left     int64 // bytes that are still searched
	total    int64 // that there is
	partial  bool
	tooLarge map[string]int64
	leaks    map[string][]leak.Finding // by hash
	pointers map[string]git.Pointer    // by hash

	configured bool
	patterns   []string
}

// inspect refuses a push that brings a file that is too large, a pointer of Git LFS that leads nowhere, or a secret, and
// gives the secrets that are let through.
func (s *Service) inspect(ctx context.Context, r Repository, in git.Incoming, options map[string]string) ([]Leak, error) {
	k := &look{s: s, r: r, in: in, limits: s.limitsOf(r), left: secretBytes, tooLarge: map[string]int64{}, leaks: map[string][]leak.Finding{}, pointers: map[string]git.Pointer{}}
	if err := in.Files(ctx, k.sees, k.reads); err != nil {
		if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
			return nil, fault.Errorf(fault.TooLarge, "it takes too long to look through what is pushed; push it in parts")
		}
		return nil, err
	}
	if k.total >= bigPush {
		s.count(r.ID, packAfter)
	}
	if err := k.refuseLarge(ctx); err != nil {
		return nil, err
	}
	if err := k.refuseMissing(ctx, options); err != nil {
		return nil, err
	}
	if k.partial && r.SecretCheck {
		in.Say("this push is too large to be searched for secrets as a whole")
	}
	return k.refuseSecrets(ctx, options)
}

func (k *look) sees(hash string, size int64) (read bool, err error) {
	k.total += size
	switch {
	case size > k.limits.File:
		if len(k.tooLarge) < locatedMost {
			k.tooLarge[hash] = size
		}
		return false, nil
	case size <= git.PointerBytes:
		k.left -= size
		return true, nil
	case !k.r.SecretCheck || size > secretFile:
		return false, nil
	case size > k.left:
		k.partial = true
		return false, nil
	}
	k.left -= size
	return true, nil
}

func (k *look) reads(hash string, content []byte) error {
	if p, ok := git.ParsePointer(content); ok && k.s.large != nil {
		if len(k.pointers) < pointersMost {
			k.pointers[hash] = p
		}
		return nil
	}
	if !k.r.SecretCheck {
		return nil
	}
	if found := k.s.leaks.Find(content); len(found) > 0 && len(k.leaks) < locatedMost {
		k.leaks[hash] = found
	}
	return nil
}

// refuseLarge refuses files over the limit, save those that the repository has.
func (k *look) refuseLarge(ctx context.Context) error {
	for hash, size := range k.tooLarge {
		places, err := k.in.Places(ctx, hash, 1)
		if err != nil {
			return err
		}
		if len(places) > 0 {
			return fault.Errorf(fault.TooLarge, "%s at %.10s has %s; a file has at most %s here. Take it out of the history (git rebase, git filter-repo), or keep it by Git LFS (git lfs migrate import --include=%s)",
				places[0].Path, places[0].Commit, git.Bytes(size), git.Bytes(k.limits.File), path.Base(places[0].Path))
		}
	}
	return nil
}

// refuseMissing refuses pointers to files of Git LFS that were never uploaded.
func (k *look) refuseMissing(ctx context.Context, options map[string]string) error {
	if _, allowed := options[OptionMissing]; allowed || len(k.pointers) == 0 {
		return nil
	}
	asked := make([]git.Pointer, 0, len(k.pointers))
	for _, p := range k.pointers {
		asked = append(asked, p)
	}
	kept, err := k.s.larges(ctx, k.r.ID, asked)
	if err != nil {
		return err
	}
	missing, located := 0, 0
	for hash, p := range k.pointers {
		if _, here := kept[p.OID]; here {
			continue
		}
		if located++; located > locatedMost {
			continue // enough are told
		}
		places, err := k.in.Places(ctx, hash, 1)
		if err != nil {
			return err
		}
		if len(places) == 0 {
			continue // the repository has it already
		}
		if missing++; missing <= shownMost {
			k.in.Say("%s: %s (%s) was not uploaded", places[0].Path, p.OID, git.Bytes(p.Size))
		}
	}
	if missing == 0 {
		return nil
	}
	return fault.Errorf(fault.Conflict, "files of Git LFS are missing; upload them with git lfs push --all REMOTE and push again (where they are lost, push with -o %s)", OptionMissing)
}

// refuseSecrets refuses what looks like a secret, unless the repository's configuration or whoever pushes allows it.
func (k *look) refuseSecrets(ctx context.Context, options map[string]string) ([]Leak, error) {
	var leaks []Leak
	for hash, findings := range k.leaks {
		places, err := k.in.Places(ctx, hash, 1)
		if err != nil {
			return nil, err
		}
		for _, p := range places {
			if k.excused(ctx, p.Path) {
				continue
			}
			for _, f := range findings {
				leaks = append(leaks, Leak{f.Rule, p.Commit, p.Path, f.Line})
			}
		}
	}
	if len(leaks) == 0 {
		return nil, nil
	}
	if _, allowed := options[OptionSecrets]; allowed {
		if err := k.s.access.AuthorizeObject(ctx, Manage, k.r.Space, k.r.FullName()); err != nil {
			return nil, fault.Wrap(err, "push with the option %s", OptionSecrets)
		}
		return leaks[:min(len(leaks), locatedMost)], nil
	}
	for i, l := range leaks {
		if i == shownMost {
			k.in.Say("and %d more", len(leaks)-shownMost)
			break
		}
		k.in.Say("%s", l)
	}
	return nil, fault.Errorf(fault.Denied, "what looks like a secret must not be pushed. Take it out of the commits (git rebase, git commit --amend) and revoke it where it was made. "+
		"Where it is none: write %s on its line or the one above, or name the file below secrets: allow: in %s; an administrator can push with -o %s=REASON", leak.Allow, configFile, OptionSecrets)
}

// excused tells whether the repository's configuration, as it is pushed, lets secrets into a file.
func (k *look) excused(ctx context.Context, file string) bool {
	if !k.configured {
		k.configured = true
		for _, u := range k.in.Updates[:min(len(k.in.Updates), configsMost)] {
			if !u.Deletes() {
				k.patterns = append(k.patterns, k.config(ctx, u.New)...)
			}
		}
	}
	for _, pattern := range k.patterns {
		if match(strings.Split(strings.TrimPrefix(pattern, "/"), "/"), strings.Split(file, "/")) {
			return true
		}
	}
	return false
}

// config gives the patterns of files that may hold what looks like a secret.
func (k *look) config(ctx context.Context, commit string) (patterns []string) {
	content, err := k.in.ReadFile(ctx, commit, configFile, 64<<10)
	if err != nil {
		return nil // there is none, or none that can be read
	}
	var config struct {
		Secrets struct {
			Allow []string `yaml:"allow"`
		} `yaml:"secrets"`
	}
	if err := yaml.Unmarshal(content, &config); err != nil {
		k.in.Say("%s at %.10s can't be read: %s", configFile, commit, err)
		return nil
	}
	for _, p := range config.Secrets.Allow {
		if _, err := path.Match(p, ""); err != nil || len(p) > 500 || strings.Count(p, "**") > 4 {
			k.in.Say("%s at %.10s: %.100q is no pattern of paths", configFile, commit, p)
			continue
		}
		patterns = append(patterns, p)
	}
	return patterns
}

// refuseIn is the look at files that are committed here, by a person.
func (s *Service) refuseIn(r Repository, changes []git.FileChange) error {
	limits := s.limitsOf(r)
	for _, c := range changes {
		if int64(len(c.Content)) > limits.File {
			return fault.Errorf(fault.TooLarge, "%s has %s; a file has at most %s here", c.Path, git.Bytes(int64(len(c.Content))), git.Bytes(limits.File))
		}
		if !r.SecretCheck || len(c.Content) > secretFile {
			continue
		}
		for _, f := range s.leaks.Find(c.Content) {
			return fault.Errorf(fault.Denied, "%s:%d looks like a secret (%s); where it is none, write %s on its line or the one above", c.Path, f.Line, f.Rule, leak.Allow)
		}
	}
	return nil
}
