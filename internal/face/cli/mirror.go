package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
)

func (s *state) mirror() *cobra.Command {
	return group("mirror", "Providers that the server keeps for engines", s.mirroredList(), s.mirroredAdd(), s.mirroredRemove())
}

func (s *state) mirroredList() *cobra.Command {
	return listing(s, "list", "Packages that the mirror has", cobra.NoArgs, whole, func([]string) (list[client.MirroredProvider], error) {
		return list[client.MirroredProvider]{
			path: "/mirror/providers", head: "PROVIDER\tVERSION\tPLATFORM\tMIB\tFROM\tKEPT",
			row: func(p client.MirroredProvider) []any {
				from := "added"
				if p.From != "" {
					from = p.From
				}
				return []any{p.Provider, p.Version, p.Platform, (p.Size + 1<<20 - 1) >> 20, from, ago(p.Kept)}
			},
			noun: "providers", next: "add what `tofu providers mirror FOLDER` has fetched: `roadbed mirror add FOLDER`",
		}, nil
	})
}

// providerArchive is the name of a provider's archive.
var providerArchive = regexp.MustCompile(`^terraform-provider-([a-z0-9][a-z0-9_-]*)_([0-9][0-9A-Za-z.-]*)_([a-z0-9]+_[a-z0-9]+)\.zip$`)

// providerFile is an archive of this machine and the path that it gets.
type providerFile struct{ file, path string }

// providerPath gives the path of an archive of HOST/NAMESPACE.
func providerPath(source, file string) (string, error) {
	m := providerArchive.FindStringSubmatch(filepath.Base(file))
	if m == nil {
		return "", fmt.Errorf("%s is not called as an archive of a provider: terraform-provider-TYPE_VERSION_OS_ARCH.zip", file)
	}
	return "/mirror/providers/" + strings.Join([]string{source, m[1], m[2], m[3]}, "/"), nil
}

// providersBelow finds archives in a folder, as `tofu providers mirror` writes it: HOST/NAMESPACE/TYPE/FILE.
func providersBelow(root string) (found []providerFile, err error) {
	err = filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !providerArchive.MatchString(d.Name()) {
			return err
		}
		absolute, err := filepath.Abs(file)
		if err != nil {
			return err
		}
		parts := strings.Split(filepath.ToSlash(absolute), "/")
		if len(parts) < 5 {
			return fmt.Errorf("%s does not lie in a folder HOST/NAMESPACE/TYPE", file)
		}
		path, err := providerPath(strings.Join(parts[len(parts)-4:len(parts)-2], "/"), file)
		found = append(found, providerFile{file, path})
		return err
	})
	return found, err
}

func (s *state) mirroredAdd() *cobra.Command {
	var source string
	c := s.verb("add FILE|FOLDER...", "Add packages of providers", cobra.MinimumNArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		var all []providerFile
		for _, arg := range args {
			info, err := os.Stat(arg)
			if err != nil {
				return Usage(err)
			}
			if info.IsDir() {
				found, err := providersBelow(arg)
				if err == nil && len(found) == 0 {
					err = fmt.Errorf("%s holds no archives of providers", arg)
				}
				if err != nil {
					return Usage(err)
				}
				all = append(all, found...)
				continue
			}
			if strings.Count(source, "/") != 1 {
				return Usage(errors.New("a file says not whose it is; give --source HOST/NAMESPACE, such as registry.opentofu.org/hashicorp, or a folder that tofu providers mirror has written"))
			}
			path, err := providerPath(source, arg)
			if err != nil {
				return Usage(err)
			}
			all = append(all, providerFile{arg, path})
		}
		var added []client.MirroredProvider
		for _, f := range all {
			var p client.MirroredProvider
			content := client.Raw{Type: "application/zip", Open: func() (io.ReadCloser, error) { return os.Open(f.file) }}
			if err := api.Do(c.Context(), "PUT", f.path, nil, content, &p); err != nil {
				return fmt.Errorf("%s: %w", f.file, err)
			}
			added = append(added, p)
		}
		return s.show(c, added, func(w io.Writer) {
			for _, p := range added {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", p.Provider, p.Version, p.Platform, strings.Join(p.Hashes, " "))
			}
		})
	})
	c.Long = `Add packages of providers to the server's mirror, for engines that have no network.
A folder is one that tofu providers mirror or terraform providers mirror has
written: HOST/NAMESPACE/TYPE/terraform-provider-TYPE_VERSION_OS_ARCH.zip. A
package that is there is left as it is; another archive of it is refused.` + exitHelp
	c.Example = `  tofu providers mirror -platform=linux_amd64 mirrored
  roadbed mirror add mirrored
  roadbed mirror add --source registry.opentofu.org/hashicorp \
    terraform-provider-time_0.14.2_linux_amd64.zip`
	c.Flags().StringVar(&source, "source", "", "`HOST/NAMESPACE` of files that are given by themselves")
	return c
}

func (s *state) mirroredRemove() *cobra.Command {
	c := s.verb("remove HOST/NAMESPACE/TYPE VERSION [PLATFORM...]", "Take packages of a provider away", cobra.MinimumNArgs(2), func(c *cobra.Command, api *client.Client, args []string) error {
		all, err := client.All[client.MirroredProvider](c.Context(), api, "/mirror/providers", nil)
		if err != nil {
			return err
		}
		removed := 0
		for _, p := range all {
			if p.Provider != args[0] || p.Version != args[1] || len(args) > 2 && !slices.Contains(args[2:], p.Platform) {
				continue
			}
			if err := api.Do(c.Context(), "DELETE", "/mirror/providers/"+p.Provider+"/"+p.Version+"/"+p.Platform, nil, nil, nil); err != nil {
				return err
			}
			removed++
		}
		if removed == 0 {
			return errors.New("the mirror has no such package; roadbed mirror list tells what it has")
		}
		fmt.Fprintf(c.ErrOrStderr(), "removed %d\n", removed)
		return nil
	})
	c.Example = "  roadbed mirror remove registry.opentofu.org/hashicorp/time 0.14.2"
	return c
}
