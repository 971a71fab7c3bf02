package node

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Images gives what an image reference holds. Unpack makes the folder dest, which does not exist (the one above it
// does), with the image's file tree, in which no folder may be a link that leads out, and gives its configuration. Errors: Invalid for a wrong reference, NotFound,
// Unavailable; they are shown to the user as the reason of ErrImagePull.
type Images interface {
	Unpack(ctx context.Context, image, dest string) (ImageConfig, error)
}

// ImageConfig is what an image says about its program.
type ImageConfig struct {
	Digest     string // sha256:…, of the manifest; may be empty for a source without digests
	Entrypoint []string
	Cmd        []string
	Env        []string // NAME=value
	WorkingDir string
	Ports      []int
}

// image is an unpacked image that can be run.
type image struct {
	root   string
	config ImageConfig
}

// imageCache keeps unpacked images by reference: who may use a repository may not use what another has of the same
// digest. What a reference names that may change is asked for each time, and kept by its digest.
type imageCache struct {
	dir    string
	source Images

	mu   sync.Mutex
	busy map[string]*sync.Mutex // one unpacking of an image at a time
}

// cacheName is the folder of a reference, "" when what it names may change at any time.
func cacheName(reference string, policy corev1.PullPolicy) string {
	if strings.Contains(reference, "@") {
		return nameOfHash("reference", reference)
	}
	last := reference[strings.LastIndexByte(reference, '/')+1:]
	_, tag, _ := strings.Cut(last, ":")
	if policy == corev1.PullAlways || (policy == "" && (tag == "" || tag == "latest")) {
		return ""
	}
	return nameOfHash("reference", reference)
}

func nameOfHash(kind, text string) string {
	sum := sha256.Sum256([]byte(text))
	return kind + "-" + hex.EncodeToString(sum[:16])
}

// get gives an image, unpacking it when that has not been done.
func (c *imageCache) get(ctx context.Context, reference string, policy corev1.PullPolicy) (image, error) {
	name := cacheName(reference, policy)
	if name != "" {
		lock := c.lock(name)
		lock.Lock()
		defer lock.Unlock()
		if img, err := c.read(name); err == nil {
			return img, nil
		}
	}
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return image{}, err
	}
	temp, err := os.MkdirTemp(c.dir, "unpacking-")
	if err != nil {
		return image{}, err
	}
	defer os.RemoveAll(temp)
	root := filepath.Join(temp, "root")
	config, err := c.source.Unpack(ctx, reference, root)
	if err != nil {
		return image{}, err
	}
	if err := widen(ctx, root); err != nil {
		return image{}, err
	}
	if name == "" {
		if config.Digest == "" {
			config.Digest = filepath.Base(temp) // of no use to anyone else
		}
		name = nameOfHash("digest", config.Digest)
		lock := c.lock(name)
		lock.Lock()
		defer lock.Unlock()
		if img, err := c.read(name); err == nil {
			return img, nil
		}
	}
	return c.keep(temp, name, config)
}

// widen gives all users the rights that the owner of a file has: in a container that is mostly root, here the pod's
// own user, who owns nothing of the image.
func widen(ctx context.Context, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		if !d.IsDir() && !d.Type().IsRegular() {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		own := info.Mode().Perm() >> 6
		if d.IsDir() {
			own |= 0o5
		}
		if all := own<<6 | own<<3 | own; all&^0o022 != info.Mode().Perm() {
			return root.Chmod(name, all&^0o022)
		}
		return nil
	})
}

// keep moves a complete image to its place in one step, so that a half one is never read.
func (c *imageCache) keep(temp, name string, config ImageConfig) (image, error) {
	text, err := json.Marshal(config)
	if err != nil {
		return image{}, err
	}
	if err := os.WriteFile(filepath.Join(temp, "config.json"), text, 0o600); err != nil {
		return image{}, err
	}
	if err := os.Chmod(temp, 0o755); err != nil {
		return image{}, err
	}
	if err := os.Rename(temp, filepath.Join(c.dir, name)); err != nil {
		return image{}, err
	}
	return image{root: filepath.Join(c.dir, name, "root"), config: config}, nil
}

func (c *imageCache) read(name string) (image, error) {
	text, err := os.ReadFile(filepath.Join(c.dir, name, "config.json"))
	if err != nil {
		return image{}, err
	}
	img := image{root: filepath.Join(c.dir, name, "root")}
	return img, json.Unmarshal(text, &img.config)
}

func (c *imageCache) lock(name string) *sync.Mutex {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.busy[name] == nil {
		c.busy[name] = &sync.Mutex{}
	}
	return c.busy[name]
}

// clean removes what an earlier life had begun to unpack.
func (c *imageCache) clean() error {
	entries, err := os.ReadDir(c.dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "unpacking-") {
			err = errors.Join(err, os.RemoveAll(filepath.Join(c.dir, e.Name())))
		}
	}
	return err
}

// freshImage is how long an image is kept though nothing names it: a pod may just be about to.
const freshImage = time.Hour

// prune removes the images that are not among those kept.
func (c *imageCache) prune(keep map[string]bool, now time.Time) error {
	entries, err := os.ReadDir(c.dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		info, infoErr := e.Info()
		if keep[e.Name()] || infoErr != nil || now.Sub(info.ModTime()) < freshImage {
			continue
		}
		lock := c.lock(e.Name())
		lock.Lock()
		err = errors.Join(err, os.RemoveAll(filepath.Join(c.dir, e.Name())))
		lock.Unlock()
	}
	return err
}

// pruneImages removes the images that neither a revision nor a pod needs.
func (n *Node) pruneImages() {
	keep := map[string]bool{}
	n.mu.Lock()
	for _, all := range n.revisions {
		for _, r := range all {
			for _, k := range slices.Concat(r.template.Spec.InitContainers, r.template.Spec.Containers) {
				keep[cacheName(k.Image, k.ImagePullPolicy)] = true
			}
		}
	}
	for _, p := range n.pods {
		for root := range p.images {
			keep[filepath.Base(filepath.Dir(root))] = true
		}
	}
	n.mu.Unlock()
	if err := n.images.prune(keep, n.now()); err != nil {
		n.log.Warn("images that nobody needs can't be removed", "error", err)
	}
}

// command gives the argv of a container as Kubernetes does: command replaces the image's entrypoint and its
// arguments, args replaces its arguments.
func (i image) command(k *corev1.Container, env map[string]string) ([]string, error) {
	argv := append([]string(nil), i.config.Entrypoint...)
	switch {
	case len(k.Command) > 0:
		argv = append(expandAll(k.Command, env), expandAll(k.Args, env)...)
	case len(k.Args) > 0:
		argv = append(argv, expandAll(k.Args, env)...)
	default:
		argv = append(argv, i.config.Cmd...)
	}
	if len(argv) == 0 {
		return nil, fault.Errorf(fault.Invalid, "image %s names no program; write command in the container", k.Image)
	}
	argv[0] = i.program(argv[0], env["PATH"])
	return argv, nil
}

// program gives where argv[0] is inside the sandbox. A name without a slash is looked for in the image's PATH.
func (i image) program(name, search string) string {
	if strings.ContainsRune(name, '/') {
		if path.IsAbs(name) {
			return i.inside(name)
		}
		return name
	}
	for _, dir := range strings.Split(search, ":") {
		file := path.Join(dir, name)
		if info, err := os.Stat(filepath.Join(i.root, filepath.FromSlash(file))); path.IsAbs(dir) && err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return i.inside(file)
		}
	}
	return name
}

// inside gives the place of one of the image's files in the sandbox: its own where the image's folder could be
// mounted, else below /image.
func (i image) inside(file string) string {
	file = path.Clean(file)
	top, _, _ := strings.Cut(strings.TrimPrefix(file, "/"), "/")
	if mountable("/" + top) {
		return file
	}
	if _, err := os.Lstat(filepath.Join(i.root, filepath.FromSlash(file))); err != nil {
		return file
	}
	return imageMount + file
}

// imageMount is where the whole image is shown.
const imageMount = "/image"
