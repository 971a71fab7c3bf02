package node_test

import (
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/cluster/clustertest"
	"github.com/roadbed-dev/roadbed/internal/machinery/cluster/node"
	"github.com/roadbed-dev/roadbed/internal/machinery/lacktest"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
)

// A pod's program sees nothing of the machine, of the node and of other pods: neither their files, nor the server's
// environment, nor what listens on the machine's own addresses.
func TestAPodReachesNothingOfTheMachine(t *testing.T) {
	t.Parallel()
	o := options(t, storetest.SQLite(t, node.Migrations()))
	if !o.Executor.Capabilities().Isolated {
		lacktest.Skip(t, "no isolation here: %v", o.Executor.Capabilities().Missing)
	}
	b := start(t, o)
	clustertest.Apply(t, b.Cluster, owner, clustertest.App(t, "program:1", "hostile.test", 1, "VERSION=1"))
	clustertest.AwaitHealthy(t, b.Cluster, owner)
	other := clustertest.App(t, "program:1", "victim.test", 1, "VERSION=victim")
	for _, object := range other {
		object.Raw["metadata"].(map[string]any)["namespace"] = "other"
	}
	clustertest.Apply(t, b.Cluster, "other", other)
	clustertest.AwaitHealthy(t, b.Cluster, "other")

	ask := func(path, name, value string) (int, string) {
		t.Helper()
		return b.Ask(t, "hostile.test", path+"?"+name+"="+url.QueryEscape(value))
	}
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("of the machine"), 0o644); err != nil {
		t.Fatal(err)
	}
	files := []string{secret, "/proc/1/root" + secret, "/proc/self/root/.." + secret, "/etc/shadow", "/root/.profile"}
	err := filepath.WalkDir(o.Dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && len(files) < 200 {
			files = append(files, path)
		}
		return nil
	})
	if err != nil || len(files) < 7 {
		t.Fatalf("the node has only the files %v, %v", files, err)
	}
	for _, file := range files {
		if status, body := ask("/read", "path", file); status != http.StatusInternalServerError {
			t.Errorf("it reads %s: %.100s", file, body)
		}
	}
	for _, file := range []string{"/usr/bin/hostile", "/etc/hostile", "/image/hostile", "/app", o.Dir + "/hostile", "/proc/sys/kernel/core_pattern"} {
		if status, _ := ask("/write", "path", file); status != http.StatusInternalServerError {
			t.Errorf("it writes %s", file)
		}
	}
	for pid := range 300 {
		if _, body := ask("/read", "path", fmt.Sprintf("/proc/%d/environ", pid)); strings.Contains(body, built+"=") || strings.Contains(body, "VERSION=victim") {
			t.Errorf("it reads the environment of another process: %.300s", body)
		}
	}
	listens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "of the machine") }))
	t.Cleanup(listens.Close)
	addresses := []string{listens.URL, strings.Replace(listens.URL, "127.0.0.1", "localhost", 1), strings.Replace(listens.URL, "127.0.0.1", "[::1]", 1)}
	mine, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range mine {
		if ip, ok := a.(*net.IPNet); ok && ip.IP.To4() != nil {
			addresses = append(addresses, strings.Replace(listens.URL, "127.0.0.1", ip.IP.String(), 1))
		}
	}
	for _, address := range addresses {
		if _, body := ask("/fetch", "url", address); strings.Contains(body, "of the machine") {
			t.Errorf("it reaches %s", address)
		}
	}
}
