// Program cluster is as much of Kubernetes as tests of manifests need, in one process: etcd, the API server, and the
// controller that empties namespaces which are deleted. Nothing runs pods.
//
//	cluster FOLDER
//
// It keeps all in FOLDER, which is to be empty, and listens on a free port of the loopback. Once the API server is ready it
// prints the path of a kubeconfig of an administrator. It ends with its standard input, and so with whoever started it.
package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/pflag"
	"go.etcd.io/etcd/server/v3/embed"
	corev1 "k8s.io/api/core/v1"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/client-go/util/keyutil"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
	"k8s.io/kubernetes/cmd/kube-apiserver/app/options"
	"k8s.io/kubernetes/pkg/controller/namespace"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: cluster FOLDER")
		os.Exit(2)
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0) // nothing of it is to last
	}()
	if err := run(context.Background(), os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	store, err := etcd(dir)
	if err != nil {
		return fmt.Errorf("start etcd: %w", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	token := rand.Text()
	ended := make(chan error, 1)
	server, err := apiServer(ctx, dir, store, token, listener)
	if err != nil {
		return fmt.Errorf("configure the API server: %w", err)
	}
	go func() { ended <- app.Run(ctx, server) }()
	ca, err := os.ReadFile(filepath.Join(dir, "apiserver.crt")) // its signer is in it too
	if err != nil {
		return err
	}
	config := &rest.Config{Host: "https://" + listener.Addr().String(), BearerToken: token, QPS: 1000, Burst: 1000}
	config.CAData = ca
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	for {
		if client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error() == nil {
			break
		}
		select {
		case err := <-ended:
			return fmt.Errorf("the API server ended: %w", err)
		case <-time.After(50 * time.Millisecond):
		}
	}
	if err := emptyNamespaces(ctx, client, config); err != nil {
		return err
	}
	file := filepath.Join(dir, "kubeconfig")
	if err := clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{"test": {Server: config.Host, CertificateAuthorityData: ca}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{"admin": {Token: token}},
		Contexts:       map[string]*clientcmdapi.Context{"test": {Cluster: "test", AuthInfo: "admin"}},
		CurrentContext: "test",
	}, file); err != nil {
		return err
	}
	fmt.Println(file)
	return <-ended
}

// etcd starts the store, at a socket in the folder, and gives its address.
func etcd(dir string) (string, error) {
	c := embed.NewConfig()
	c.Dir, c.LogLevel, c.UnsafeNoFsync = filepath.Join(dir, "etcd"), "error", true
	clients, peers := url.URL{Scheme: "unix", Path: filepath.Join(dir, "etcd.sock")}, url.URL{Scheme: "unix", Path: filepath.Join(dir, "peer.sock")}
	c.ListenClientUrls, c.AdvertiseClientUrls = []url.URL{clients}, []url.URL{clients}
	c.ListenPeerUrls, c.AdvertisePeerUrls = []url.URL{peers}, []url.URL{peers}
	c.InitialCluster = c.InitialClusterFromName(c.Name)
	e, err := embed.StartEtcd(c)
	if err != nil {
		return "", err
	}
	select {
	case <-e.Server.ReadyNotify():
		return clients.String(), nil
	case err := <-e.Err():
		return "", err
	}
}

// apiServer has the options of an API server that knows one person, who may do all.
func apiServer(ctx context.Context, dir, store, token string, listener net.Listener) (options.CompletedOptions, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return options.CompletedOptions{}, err
	}
	signs, err := keyutil.MarshalPrivateKeyToPEM(key)
	if err != nil {
		return options.CompletedOptions{}, err
	}
	for name, text := range map[string][]byte{"accounts.key": signs, "tokens.csv": []byte(token + ",admin,admin,system:masters\n")} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return options.CompletedOptions{}, err
		}
	}
	s := options.NewServerRunOptions()
	flags := pflag.NewFlagSet("kube-apiserver", pflag.ContinueOnError)
	for _, set := range s.Flags().FlagSets {
		flags.AddFlagSet(set)
	}
	if err := flags.Parse([]string{
		"--etcd-servers=" + store, "--cert-dir=" + dir, "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none",
		"--authorization-mode=RBAC", "--token-auth-file=" + filepath.Join(dir, "tokens.csv"), "--service-cluster-ip-range=10.96.0.0/16",
		"--service-account-issuer=https://kubernetes.default.svc", "--service-account-signing-key-file=" + filepath.Join(dir, "accounts.key"),
		"--service-account-key-file=" + filepath.Join(dir, "accounts.key"), "--profiling=false",
	}); err != nil {
		return options.CompletedOptions{}, err
	}
	s.SecureServing.Listener, s.SecureServing.BindPort = listener, listener.Addr().(*net.TCPAddr).Port
	if err := s.GenericServerRunOptions.ComponentGlobalsRegistry.Set(); err != nil {
		return options.CompletedOptions{}, err
	}
	rest.SetDefaultWarningHandler(rest.NoWarnings{}) // of the server's own clients
	done, err := s.Complete(ctx)
	if err != nil {
		return done, err
	}
	return done, utilerrors.NewAggregate(done.Validate())
}

// emptyNamespaces has namespaces that are deleted go, with what is in them.
func emptyNamespaces(ctx context.Context, client kubernetes.Interface, config *rest.Config) error {
	things, err := metadata.NewForConfig(config)
	if err != nil {
		return err
	}
	all := informers.NewSharedInformerFactory(client, 0)
	c := namespace.NewNamespaceController(ctx, client, things, client.Discovery().ServerPreferredNamespacedResources, all.Core().V1().Namespaces(), 0, corev1.FinalizerKubernetes)
	all.Start(ctx.Done())
	go c.Run(ctx, 4)
	return nil
}
