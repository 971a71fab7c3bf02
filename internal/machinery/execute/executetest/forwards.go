package executetest

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
	"github.com/roadbed-dev/roadbed/internal/machinery/lacktest"
)

func (s suite) forwards(t *testing.T) {
	e := s.open(t)
	if !e.Capabilities().Isolated {
		t.Skip("ports are the host's without isolation")
	}
	// The path of a data folder may be longer than the address of a unix socket may be. To make and reach such a
	// socket, the test goes by its folder.
	dir := filepath.Join(t.TempDir(), strings.Repeat("long", 25))
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	folder, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	short := fmt.Sprintf("/proc/self/fd/%d", folder.Fd())
	door, err := net.Listen("unix", short+"/door")
	if err != nil {
		t.Fatal(err)
	}
	defer door.Close()
	// The door answers when it has read all: half a close must arrive.
	go func() {
		for {
			conn, err := door.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				b, _ := io.ReadAll(conn)
				fmt.Fprintf(conn, "door got %d bytes", len(b))
			}()
		}
	}()
	spec := execute.Spec{
		ID: "forwards", Image: s.image, Workspace: t.TempDir(),
		Dial: []execute.Forward{{Socket: filepath.Join(dir, "door"), Port: 7070}}, Listen: []execute.Forward{{Socket: filepath.Join(dir, "in"), Port: 8080}},
	}
	program := Build(t)
	copyFile(t, program, filepath.Join(spec.Workspace, "peer"))
	spec.Argv = []string{"./peer"}
	p := s.start(t, t.Context(), e, spec)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			conn, err := net.Dial("unix", short+"/in")
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			fmt.Fprint(conn, strings.Repeat("y", 300_000))
			conn.(*net.UnixConn).CloseWrite() // the answer tells
			b, err := io.ReadAll(conn)
			if string(b) != "peer got 300000 bytes; door got 300000 bytes" {
				t.Errorf("got %q, %v", b, err)
			}
		})
	}
	all.Wait()
	p.Stop(0)
	wait(t, p)
	if _, err := net.Dial("unix", short+"/in"); err == nil {
		t.Error("the socket outlived its command")
	}
}

// Build gives the path of a static program, built from testdata/peer: it listens on 127.0.0.1:8080, reads each
// connection to its end, passes the bytes on to 127.0.0.1:7070, and answers with both counts. Where nothing can be
// built, ROADBED_TEST_PEER names one that was.
func Build(t *testing.T) string {
	t.Helper()
	lacktest.Programs()
	if built := os.Getenv("ROADBED_TEST_PEER"); built != "" {
		return built
	}
	return build(t, "peer")
}

// BuildHostile gives the path of a static program, built from testdata/hostile: its argument is a role of hostiletest.
func BuildHostile(t *testing.T) string {
	t.Helper()
	lacktest.Programs()
	return build(t, "hostile")
}

func build(t *testing.T, name string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), name)
	cmd := exec.Command("go", "build", "-trimpath", "-o", program, "github.com/roadbed-dev/roadbed/internal/machinery/execute/executetest/testdata/"+name)
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", name, err, out)
	}
	return program
}
