package server

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/internal/face/cli"
	"github.com/roadbed-dev/roadbed/internal/machinery/oci"
	"github.com/roadbed-dev/roadbed/internal/product/delivery"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// pushPatience is how long a registry that is away, such as while its server or the server's database is started anew, is
// asked again.
const pushPatience = 30 * time.Second

func imageCommand() *cobra.Command {
	image := &cobra.Command{Use: "image", Short: "Images without a daemon"}
	image.AddCommand(packCommand())
	return image
}

// packCommand needs no server's database: it runs inside steps of pipelines, and anywhere else.
func packCommand() *cobra.Command {
	var files, env, labels, ports []string
	var entrypoint, cmd []string
	var push, digestFile, user, certificates string
	c := &cobra.Command{
		Use: "pack", Short: "Pack files into an image and push it", Args: cobra.NoArgs,
		Long: `Packs files into an image of one layer, reproducibly and without a daemon, and pushes it.

The registry registry.local is the one of the Roadbed server at ROADBED_URL, with ROADBED_TOKEN. A registry that is
away is asked again for half a minute.

Exit codes: 0 done, 1 failed, 2 wrong usage.`,
		Example: `  roadbed image pack --file bin/app=/app --entrypoint /app \
    --push registry.local/default/shop:v1 --digest-file digest`,
	}
	c.Flags().StringArrayVar(&files, "file", nil, "a file or folder and its place in the image: PATH=/PLACE")
	c.Flags().StringSliceVar(&entrypoint, "entrypoint", nil, "the program and its first arguments")
	c.Flags().StringSliceVar(&cmd, "cmd", nil, "further arguments, which a deployment may replace")
	c.Flags().StringArrayVar(&env, "env", nil, "NAME=value in the environment")
	c.Flags().StringArrayVar(&labels, "label", nil, "name=value on the image")
	c.Flags().StringSliceVar(&ports, "port", nil, "a port on which it listens")
	c.Flags().StringVar(&user, "user", "", "user that it runs as")
	c.Flags().StringVar(&certificates, "ca-certificates", "", "PEM bundle to put where programs look for it")
	c.Flags().StringVar(&push, "push", "", "reference to push to: HOST/NAMESPACE/NAME:TAG")
	c.Flags().StringVar(&digestFile, "digest-file", "", "write the image's digest there")
	_ = c.MarkFlagRequired("file") // the flags are defined above
	_ = c.MarkFlagRequired("push")
	c.RunE = func(c *cobra.Command, _ []string) error {
		o := oci.PackOptions{Entrypoint: entrypoint, Cmd: cmd, Env: env, User: user, Ports: ports, CACerts: certificates, Labels: map[string]string{}}
		for _, f := range files {
			from, to, ok := strings.Cut(f, "=")
			if !ok {
				return cli.Usage(fmt.Errorf("--file %q is not PATH=/PLACE", f))
			}
			o.Files = append(o.Files, oci.PackFile{Source: from, Path: to})
		}
		for _, l := range labels {
			name, value, ok := strings.Cut(l, "=")
			if !ok {
				return cli.Usage(fmt.Errorf("--label %q is not name=value", l))
			}
			o.Labels[name] = value
		}
		packed, err := oci.Pack(c.Context(), o)
		if err != nil {
			return err
		}
		var digest oci.Digest
		for began, wait := time.Now(), 100*time.Millisecond; ; wait *= 2 {
			digest, err = remoteOf(push).Push(c.Context(), packed, push)
			if !fault.Is(err, fault.Unavailable) || time.Since(began)+wait > pushPatience {
				break
			}
			fmt.Fprintf(c.ErrOrStderr(), "the registry does not take the image; it is tried again: %s\n", fault.Message(err))
			select {
			case <-time.After(wait):
			case <-c.Context().Done():
			}
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(c.OutOrStdout(), "pushed %s\n%s\n", push, digest)
		if digestFile == "" {
			return nil
		}
		return os.WriteFile(digestFile, []byte(string(digest)+"\n"), 0o644)
	}
	return c
}

// remoteOf gives the way to a reference's registry.
func remoteOf(reference string) oci.Remote {
	if !strings.HasPrefix(reference, delivery.RegistryHost+"/") {
		return oci.Remote{User: os.Getenv("ROADBED_REGISTRY_USER"), Password: os.Getenv("ROADBED_REGISTRY_PASSWORD")}
	}
	address := os.Getenv("ROADBED_URL")
	host := strings.TrimPrefix(strings.TrimPrefix(address, "http://"), "https://")
	return oci.Remote{
		Host: strings.TrimSuffix(host, "/"), PlainHTTP: strings.HasPrefix(address, "http://"), User: "roadbed", Password: os.Getenv("ROADBED_TOKEN"),
	}
}
