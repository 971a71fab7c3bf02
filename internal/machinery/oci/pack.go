package oci

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// PackFile brings a file or a folder of this machine into the image.
type PackFile struct {
	Source string // path here
	Path   string // absolute path in the image
}

// PackOptions say what the image holds. The image has no base: only what is named here.
type PackOptions struct {
	Files      []PackFile
	CACerts    string // path here of a PEM bundle, placed where programs look for it; "" for none
	Entrypoint []string
	Cmd        []string
	Env        []string // NAME=value
	Dir        string   // working directory, absolute; "" is /
	User       string   // name or uid, with :group; "" is root
	Ports      []string // 8080 or 8080/tcp
	Labels     map[string]string
	Platform   v1.Platform // zero is Linux on this machine's architecture
	Created    time.Time   // zero is the epoch; anything else makes the digest depend on it
}

// Labels that tools read where an image comes from.
const (
	LabelRevision = "org.opencontainers.image.revision"
	LabelSource   = "org.opencontainers.image.source"
)

const (
	caPath       = "/etc/ssl/certs/ca-certificates.crt"
	maxPackFiles = 100_000
)

// Pack makes an image of one layer (two with certificates). Owners, times and modes are made equal (root, Created,
// 0755 or 0644), so the same content gives the same digest on any machine. The sources must stay as they are until
// the image has been pushed. Invalid when a source is missing or two things want one place.
func Pack(ctx context.Context, o PackOptions) (v1.Image, error) {
	if o.Platform.OS == "" {
		o.Platform = ThisPlatform()
	}
	if o.Created.IsZero() {
		o.Created = time.Unix(0, 0)
	}
	o.Created = o.Created.UTC().Truncate(time.Second)
	config, err := o.config()
	if err != nil {
		return nil, err
	}
	var sets [][]packEntry
	if o.CACerts != "" {
		entries, err := collectEntries([]PackFile{{Source: o.CACerts, Path: caPath}})
		if err != nil {
			return nil, err
		}
		sets = append(sets, entries)
	}
	entries, err := collectEntries(o.Files)
	if err != nil {
		return nil, err
	}
	sets = append(sets, entries)

	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	for _, entries := range sets {
		layer, err := newLayer(ctx, entries, o.Created)
		if err != nil {
			return nil, fault.Wrap(err, "pack a layer")
		}
		image, err = mutate.Append(image, mutate.Addendum{
			Layer: layer, MediaType: types.OCILayer,
			History: v1.History{Created: v1.Time{Time: o.Created}, CreatedBy: "roadbed image pack"},
		})
		if err != nil {
			return nil, fault.Wrap(err, "add a layer to the image")
		}
	}
	base, err := image.ConfigFile()
	if err != nil {
		return nil, fault.Wrap(err, "read the image's configuration")
	}
	base = base.DeepCopy()
	base.Created = v1.Time{Time: o.Created}
	base.OS, base.Architecture, base.Variant = o.Platform.OS, o.Platform.Architecture, o.Platform.Variant
	base.Config = config
	image, err = mutate.ConfigFile(image, base)
	return image, fault.Wrap(err, "write the image's configuration")
}

var portPattern = regexp.MustCompile(`^([1-9][0-9]{0,4})(/(tcp|udp))?$`)

func (o PackOptions) config() (v1.Config, error) {
	c := v1.Config{Entrypoint: o.Entrypoint, Cmd: o.Cmd, Env: o.Env, User: o.User, WorkingDir: o.Dir, Labels: o.Labels}
	if len(o.Entrypoint)+len(o.Cmd) == 0 {
		return c, fault.Errorf(fault.Invalid, "the image has neither entrypoint nor command; say what it runs")
	}
	if o.Dir != "" && !path.IsAbs(o.Dir) {
		return c, fault.Errorf(fault.Invalid, "the working directory %q is not absolute", o.Dir)
	}
	for _, e := range o.Env {
		if name, _, found := strings.Cut(e, "="); !found || name == "" {
			return c, fault.Errorf(fault.Invalid, "%q is not an environment variable; write NAME=value", e)
		}
	}
	for _, p := range o.Ports {
		m := portPattern.FindStringSubmatch(p)
		if m == nil {
			return c, fault.Errorf(fault.Invalid, "%q is not a port; write 8080 or 8080/tcp", p)
		}
		if c.ExposedPorts == nil {
			c.ExposedPorts = map[string]struct{}{}
		}
		c.ExposedPorts[m[1]+"/"+cmp.Or(m[3], "tcp")] = struct{}{}
	}
	return c, nil
}

// packEntry is one thing in a layer.
type packEntry struct {
	source string // path here
	name   string // path in the image without the leading slash
	mode   fs.FileMode
	size   int64
	link   string // target of a symbolic link
}

// collectEntries lists what the files and folders hold, in order of their paths in the image.
func collectEntries(files []PackFile) ([]packEntry, error) {
	var entries []packEntry
	for _, f := range files {
		clean := path.Clean(f.Path)
		if !path.IsAbs(f.Path) || strings.ContainsRune(f.Path, 0) {
			return nil, fault.Errorf(fault.Invalid, "the path %q in the image is not absolute", f.Path)
		}
		source, err := filepath.EvalSymlinks(f.Source) // what is named itself is meant, not a link to it
		if err != nil {
			return nil, fault.Errorf(fault.Invalid, "pack %s: %w", f.Source, err)
		}
		err = filepath.WalkDir(source, func(p string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if len(entries) >= maxPackFiles {
				return fault.Errorf(fault.TooLarge, "pack %s: it holds over %d files", f.Source, maxPackFiles)
			}
			relative, err := filepath.Rel(source, p)
			if err != nil {
				return err
			}
			e, err := newEntry(p, strings.TrimPrefix(path.Join(clean, filepath.ToSlash(relative)), "/"))
			if err == nil && e.name != "" {
				entries = append(entries, e)
			}
			return err
		})
		if err != nil {
			return nil, fault.Wrap(err, "pack %s", f.Source)
		}
	}
	slices.SortFunc(entries, func(a, b packEntry) int { return cmp.Compare(a.name, b.name) })
	for i := 1; i < len(entries); i++ {
		a, b := entries[i-1], entries[i]
		if a.name == b.name && !(a.mode.IsDir() && b.mode.IsDir()) {
			return nil, fault.Errorf(fault.Invalid, "both %s and %s want to be /%s in the image", a.source, b.source, a.name)
		}
	}
	return slices.CompactFunc(entries, func(a, b packEntry) bool { return a.name == b.name }), nil
}

func newEntry(source, name string) (packEntry, error) {
	info, err := os.Lstat(source)
	if err != nil {
		return packEntry{}, err
	}
	e := packEntry{source: source, name: name, mode: 0o644}
	switch {
	case info.IsDir():
		e.mode = fs.ModeDir | 0o755
	case info.Mode().IsRegular():
		e.size = info.Size()
		if info.Mode()&0o111 != 0 {
			e.mode = 0o755
		}
	case info.Mode()&fs.ModeSymlink != 0:
		e.mode = fs.ModeSymlink | 0o777
		if e.link, err = os.Readlink(source); err != nil {
			return e, err
		}
	default:
		return e, fault.Errorf(fault.Invalid, "%s is neither a file, a folder nor a link", source)
	}
	if strings.HasPrefix(path.Base(name), whiteout) {
		return e, errors.New("a name that starts with " + whiteout + " means something else in a layer; rename it")
	}
	return e, nil
}
