package node

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// mountable tells whether something may be shown at a place of the sandbox.
func mountable(target string) bool {
	s := execute.Spec{ID: "x", Argv: []string{"x"}, Mounts: []execute.Mount{{Source: "x", Target: target}}}
	return s.Check() == nil
}

// mounts gives the image's top-level folders and files at their own places, and the whole image at /image. Those
// places that the executor keeps for itself are given by name as hidden.
func (i image) mounts() (mounts []execute.Mount, hidden []string, err error) {
	mounts = []execute.Mount{{Source: i.root, Target: imageMount, ReadOnly: true}}
	root, err := os.OpenRoot(i.root)
	if err != nil {
		return nil, nil, err
	}
	defer root.Close()
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return nil, nil, err
	}
	for _, e := range entries {
		target := "/" + e.Name()
		source := filepath.Join(i.root, e.Name())
		if e.Type()&fs.ModeSymlink != 0 { // such as bin → usr/bin; shown as what it leads to, if that is in the image
			link, err := root.Readlink(e.Name())
			if err != nil {
				return nil, nil, err
			}
			inside := strings.TrimPrefix(filepath.Clean("/"+link), "/")
			if info, err := root.Lstat(inside); err != nil || info.Mode()&fs.ModeSymlink != 0 {
				continue
			}
			source = filepath.Join(i.root, inside)
		}
		switch {
		case target == imageMount || slices.Contains([]string{"/proc", "/dev", "/sys", "/tmp"}, target):
		case !mountable(target):
			if inner, err := fs.ReadDir(root.FS(), e.Name()); err == nil && len(inner) > 0 {
				hidden = append(hidden, target)
			}
		default:
			mounts = append(mounts, execute.Mount{Source: source, Target: target, ReadOnly: true})
		}
	}
	return mounts, hidden, nil
}

// volume gives the folder of a pod's volume.
func (p *pod) volume(name string) string { return filepath.Join(p.dir, "volumes", name) }

// fillVolumes writes a pod's volumes, each in its folder. What was there before from ConfigMaps and Secrets is written
// anew; an emptyDir keeps what is in it.
func (p *pod) fillVolumes(from values) error {
	for _, v := range p.template.Spec.Volumes {
		place := p.volume(v.Name)
		var err error
		switch {
		case v.ConfigMap != nil:
			err = fill(place, "ConfigMap", v.ConfigMap.Name, v.ConfigMap.Items, v.ConfigMap.DefaultMode, v.ConfigMap.Optional, from)
		case v.Secret != nil:
			err = fill(place, "Secret", v.Secret.SecretName, v.Secret.Items, v.Secret.DefaultMode, v.Secret.Optional, from)
		default:
			if err = os.MkdirAll(place, 0o777); err == nil {
				err = os.Chmod(place, 0o777) // the pod's user is not the server's
			}
		}
		if err != nil {
			return fault.Wrap(err, "volume %s", v.Name)
		}
	}
	return nil
}

func fill(place, kind, name string, items []corev1.KeyToPath, mode *int32, optional *bool, from values) error {
	all, found := from(kind, name)
	if !found && (optional == nil || !*optional) {
		return fault.Errorf(fault.NotFound, "there is no %s %q", kind, name)
	}
	if err := os.RemoveAll(place); err != nil {
		return err
	}
	if err := os.MkdirAll(place, 0o755); err != nil {
		return err
	}
	files := map[string][]byte{}
	modes := map[string]*int32{}
	if len(items) == 0 {
		files = all
	}
	for _, item := range items {
		value, ok := all[item.Key]
		if !ok && (optional == nil || !*optional) {
			return fault.Errorf(fault.NotFound, "%s %q has no key %q", kind, name, item.Key)
		}
		if ok {
			files[item.Path], modes[item.Path] = value, item.Mode
		}
	}
	for path, value := range files {
		perm := fs.FileMode(0o644)
		for _, m := range []*int32{mode, modes[path]} {
			if m != nil {
				perm = fs.FileMode(*m) & 0o777
			}
		}
		if err := writeFile(filepath.Join(place, filepath.FromSlash(path)), value, perm); err != nil {
			return err
		}
	}
	return nil
}

// writeFile gives all readers the rights of the owner: the pod's only user is not the server's.
func writeFile(path string, value []byte, perm fs.FileMode) error {
	perm |= perm >> 3 & 0o7
	perm |= perm >> 6 & 0o7
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return errors.Join(os.WriteFile(path, value, 0o600), os.Chmod(path, perm))
}

// scratch gives the pod's volumes that can be written, with what each may hold.
func (p *pod) scratch() []execute.Folder {
	var out []execute.Folder
	for _, v := range p.template.Spec.Volumes {
		switch {
		case v.ConfigMap != nil || v.Secret != nil:
		case v.EmptyDir != nil && v.EmptyDir.SizeLimit != nil:
			out = append(out, execute.Folder{Path: p.volume(v.Name), Limit: v.EmptyDir.SizeLimit.Value()})
		default:
			out = append(out, execute.Folder{Path: p.volume(v.Name)})
		}
	}
	return out
}

// empty takes away all that the pod's containers have written.
func (p *pod) empty() error {
	return errors.Join(os.RemoveAll(filepath.Join(p.dir, "volumes")), os.RemoveAll(filepath.Join(p.dir, "work")))
}

// volumeMounts gives where a container sees the pod's volumes. Volumes of ConfigMaps and Secrets can't be written.
func (p *pod) volumeMounts(k *corev1.Container) ([]execute.Mount, error) {
	all := p.template.Spec.Volumes
	var out []execute.Mount
	for _, m := range k.VolumeMounts {
		i := slices.IndexFunc(all, func(v corev1.Volume) bool { return v.Name == m.Name })
		if i < 0 {
			return nil, fault.Errorf(fault.NotFound, "there is no volume %q", m.Name)
		}
		writable := all[i].ConfigMap == nil && all[i].Secret == nil
		source := p.volume(m.Name)
		if m.SubPath != "" {
			var err error
			if source, err = subPath(source, m.SubPath, writable); err != nil {
				return nil, fault.Errorf(fault.Invalid, "subPath %s of volume %s: %w", m.SubPath, m.Name, err)
			}
		}
		out = append(out, execute.Mount{Source: source, Target: m.MountPath, ReadOnly: m.ReadOnly || !writable})
	}
	return out, nil
}

// subPath gives a part of a volume; what a pod has put there as a link is refused, for it may lead anywhere.
func subPath(volume, sub string, writable bool) (string, error) {
	root, err := os.OpenRoot(volume)
	if err != nil {
		return "", err
	}
	defer root.Close()
	at := ""
	for _, part := range strings.Split(sub, "/") {
		at = filepath.Join(at, part)
		info, err := root.Lstat(at)
		switch {
		case errors.Is(err, fs.ErrNotExist) && writable:
			if err := root.Mkdir(at, 0o755); err != nil {
				return "", err
			}
			if err := root.Chmod(at, 0o777); err != nil {
				return "", err
			}
		case err != nil:
			return "", err
		case info.Mode()&fs.ModeSymlink != 0:
			return "", errors.New("is a symbolic link")
		}
	}
	return filepath.Join(volume, at), nil
}
