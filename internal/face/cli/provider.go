package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
)

func (s *state) providers() *cobra.Command {
	return group("provider", "Terraform providers: signed versions and their archives", s.providerList(), s.providerShow(), s.providerPublish(), s.providerYank(), s.providerRestore())
}

func (s *state) providerList() *cobra.Command {
	return listing(s, "list", "Providers", cobra.NoArgs, whole, func([]string) (list[client.Provider], error) {
		return list[client.Provider]{
			path: "/providers", head: "PROVIDER\tADDRESS\tKEYS", row: func(p client.Provider) []any { return []any{p.Namespace + "/" + p.Name, p.Address, len(p.Keys)} },
			noun: "providers", next: "apply a document of the kind Provider with the public keys that sign it",
		}, nil
	})
}

func (s *state) providerShow() *cobra.Command {
	return listing(s, "show [NAMESPACE/]NAME", "Versions of a provider, the newest first", cobra.ExactArgs(1), newest, func(args []string) (list[client.ProviderVersion], error) {
		return list[client.ProviderVersion]{
			path: namedPath("providers", args[0]) + "/versions", head: "VERSION\tPROTOCOLS\tPLATFORMS\tPUBLISHED\tNOTE",
			row: func(v client.ProviderVersion) []any {
				return []any{v.Version, strings.Join(v.Protocols, " "), platformsOf(v), ago(v.Created), noteOf(v)}
			},
			noun: "versions", next: "`roadbed provider publish` sends one",
		}, nil
	})
}

func platformsOf(v client.ProviderVersion) string {
	names := make([]string, len(v.Platforms))
	for i, p := range v.Platforms {
		names[i] = p.OS + "_" + p.Arch
	}
	return strings.Join(names, " ")
}

func noteOf(v client.ProviderVersion) string {
	switch {
	case v.Yanked != nil:
		return "yanked: " + v.Yanked.Reason
	case v.Revoked:
		return "its key is not listed any more"
	case !v.Complete:
		return "not all archives are there"
	}
	return ""
}

func (s *state) providerPublish() *cobra.Command {
	c := s.verb("publish [NAMESPACE/]NAME DIR", "Publish a version from a folder of signed archives", cobra.ExactArgs(2), func(c *cobra.Command, api *client.Client, args []string) error {
		r, err := readRelease(args[1])
		if err != nil {
			return Usage(err)
		}
		at := namedPath("providers", args[0]) + "/versions"
		v, err := client.Post[client.ProviderVersion](c.Context(), api, at, map[string]any{"version": r.version, "protocols": r.protocols, "sums": string(r.sums), "signature": r.signature})
		if err != nil {
			return err
		}
		for _, p := range v.Platforms {
			if p.Uploaded {
				continue
			}
			file := filepath.Join(args[1], p.Filename)
			body := client.Raw{Type: "application/zip", Open: func() (io.ReadCloser, error) { return os.Open(file) }}
			if err := api.Do(c.Context(), "POST", at+"/"+url.PathEscape(v.Version)+"/platforms/"+p.OS+"/"+p.Arch, nil, body, &v); err != nil {
				return fmt.Errorf("send %s: %w; the same command goes on where this one ended", file, err)
			}
			fmt.Fprintf(c.ErrOrStderr(), "sent %s\n", p.Filename)
		}
		return s.show(c, v, func(w io.Writer) {
			fmt.Fprintf(w, "version\t%s\nplatforms\t%s\nkey\t%s\n", v.Version, platformsOf(v), v.Key)
		})
	})
	c.Long = "Publishes what a release of a provider consists of:\n" +
		"  terraform-provider-TYPE_VERSION_OS_ARCH.zip    for each platform\n" +
		"  terraform-provider-TYPE_VERSION_SHA256SUMS     their sums\n" +
		"  terraform-provider-TYPE_VERSION_SHA256SUMS.sig signed by a key of the provider\n" +
		"  terraform-provider-TYPE_VERSION_manifest.json  protocols; 5.0 without it\n" +
		"It may be done again, and goes on where it was cut off." + exitHelp
	c.Example = "  roadbed provider publish cloud ./dist"
	return c
}

// release is a folder of a provider's version.
type release struct {
	version         string
	protocols       []string
	sums, signature []byte
}

var sumsName = regexp.MustCompile(`^terraform-provider-[0-9a-z-]+_(.+)_SHA256SUMS$`)

// mostRelease bounds the small files of a release, in bytes.
const mostRelease = 64 << 10

func readRelease(dir string) (r release, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return r, err
	}
	found := ""
	for _, e := range entries {
		m := sumsName.FindStringSubmatch(e.Name())
		if m == nil {
			continue
		}
		if found != "" {
			return r, fmt.Errorf("%s holds more than one version: %s and %s", dir, found, e.Name())
		}
		found, r.version = e.Name(), m[1]
	}
	if found == "" {
		return r, fmt.Errorf("%s has no terraform-provider-TYPE_VERSION_SHA256SUMS", dir)
	}
	if r.sums, err = readSmall(filepath.Join(dir, found)); err != nil {
		return r, err
	}
	if r.signature, err = readSmall(filepath.Join(dir, found+".sig")); err != nil {
		return r, fmt.Errorf("%w; sign the sums by gpg --detach-sign %s", err, found)
	}
	manifest, err := readSmall(filepath.Join(dir, strings.TrimSuffix(found, "SHA256SUMS")+"manifest.json"))
	if os.IsNotExist(err) {
		return r, nil
	}
	if err != nil {
		return r, err
	}
	var m struct {
		Metadata struct {
			Protocols []string `json:"protocol_versions"`
		} `json:"metadata"`
	}
	if err := json.Unmarshal(manifest, &m); err != nil {
		return r, fmt.Errorf("read the manifest: %w", err)
	}
	r.protocols = m.Metadata.Protocols
	return r, nil
}

func readSmall(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, mostRelease+1))
	if err == nil && len(data) > mostRelease {
		err = fmt.Errorf("%s is longer than %d bytes", file, mostRelease)
	}
	return data, err
}

// providerChange makes a verb that changes a version of a provider.
func (s *state) providerChange(verb, short string, body func() any) *cobra.Command {
	return s.verb(verb+" [NAMESPACE/]NAME VERSION", short, cobra.ExactArgs(2), func(c *cobra.Command, api *client.Client, args []string) error {
		at := namedPath("providers", args[0]) + "/versions/" + url.PathEscape(strings.TrimPrefix(args[1], "v")) + "/" + verb
		v, err := client.Post[client.ProviderVersion](c.Context(), api, at, body())
		if err != nil {
			return err
		}
		return s.show(c, v, func(w io.Writer) { fmt.Fprintf(w, "version\t%s\nnote\t%s\n", v.Version, dash(noteOf(v))) })
	})
}

func (s *state) providerYank() *cobra.Command {
	var reason string
	c := s.providerChange("yank", "Take a version back, so that engines are not offered it", func() any { return map[string]string{"reason": reason} })
	c.Flags().StringVar(&reason, "reason", "", "`why`; whoever uses the version reads it")
	_ = c.MarkFlagRequired("reason") // the flag is there
	return c
}

func (s *state) providerRestore() *cobra.Command {
	return s.providerChange("restore", "Take a yank back", func() any { return nil })
}
