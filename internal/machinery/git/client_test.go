package git_test

import (
	"crypto/rand"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// counted serves a bench's repository and tells of the end of each request.
func (b *bench) counted(o git.ServeOptions) (address string, served chan error) {
	b.t.Helper()
	served = make(chan error, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o := o
		o.Path = strings.TrimPrefix(r.URL.Path, "/")
		o.Client = r.Header.Get("Client")
		err := b.git.Serve(w, r, b.dir, o)
		if err != nil {
			http.Error(w, fault.KindOf(err).String()+": "+fault.Message(err), http.StatusTooManyRequests)
		}
		served <- err
	}))
	b.t.Cleanup(server.Close)
	return server.Listener.Addr().String(), served
}

// dial connects a client that takes as little as it can.
func (b *bench) dial(address string) net.Conn {
	b.t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		b.t.Fatal(err)
	}
	_ = conn.(*net.TCPConn).SetReadBuffer(4 << 10)
	b.t.Cleanup(func() { conn.Close() })
	return conn
}

// A client that stops reading, or stops sending, is given up, and with it its process and its slot.
func TestAClientThatStops(t *testing.T) {
	t.Parallel()
	b := setup(t)
	noise := make([]byte, 24<<20) // more than any socket takes
	rand.Read(noise)
	head, err := b.git.Commit(t.Context(), b.dir, request("", git.FileChange{Path: "noise", Content: noise}))
	if err != nil {
		t.Fatal(err)
	}
	var refs strings.Builder
	for i := range 200_000 {
		fmt.Fprintf(&refs, "%s refs/heads/branch-with-a-long-name-%d\n", head, i)
	}
	if err := os.WriteFile(filepath.Join(b.dir, "packed-refs"), []byte(refs.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	b.git.SetIdle(100 * time.Millisecond)
	address, served := b.counted(git.ServeOptions{Write: true})
	fetch := "0032want " + head + "\n00000009done\n"
	const post = " HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-git-%s-request\r\nContent-Length: %d\r\n\r\n%s"
	for what, request := range map[string]string{
		"reading references": "GET /info/refs?service=git-upload-pack HTTP/1.1\r\nHost: x\r\n\r\n",
		"reading a pack":     fmt.Sprintf("POST /git-upload-pack"+post, "upload-pack", len(fetch), fetch),
		"sending its wishes": fmt.Sprintf("POST /git-upload-pack"+post, "upload-pack", len(fetch), "0032want "),
		"sending its push":   fmt.Sprintf("POST /git-receive-pack"+post, "receive-pack", 1000, "0062"),
	} {
		conn := b.dial(address)
		if _, err := conn.Write([]byte(request)); err != nil {
			t.Fatal(err)
		}
		if err := <-served; err != nil && strings.HasPrefix(what, "reading") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// One client has no more than its share of what is served at the same time, and gets it back; what is over it waits for
// its turn, as long as that may take.
func TestOneClientsShare(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.git = b.git.Impatient(50 * time.Millisecond)
	if _, err := b.git.Commit(t.Context(), b.dir, request("", git.FileChange{Path: "x"})); err != nil {
		t.Fatal(err)
	}
	address, served := b.counted(git.ServeOptions{})
	clone := func(client, folder string) (string, error) {
		return b.client("", "-c", "http.extraHeader=Client: "+client, "clone", "-q", "http://"+address, folder)
	}
	var held []net.Conn
	for range git.ServeShare {
		conn := b.dial(address)
		fmt.Fprint(conn, "POST /git-upload-pack HTTP/1.1\r\nHost: x\r\nClient: alice\r\nExpect: 100-continue\r\n"+
			"Content-Type: application/x-git-upload-pack-request\r\nContent-Length: 100\r\n\r\n")
		answer := make([]byte, 12)
		if _, err := conn.Read(answer); err != nil || string(answer) != "HTTP/1.1 100" { // its body is being read
			t.Fatalf("%q, %v", answer, err)
		}
		held = append(held, conn)
	}
	if out, err := clone("alice", "a"); err == nil || !strings.Contains(out, "remote: exhausted: you have 16 clones, fetches and pushes under way") {
		t.Errorf("a clone over the share: %v\n%s", err, out)
	}
	if err := <-served; !fault.Is(err, fault.Exhausted) {
		t.Errorf("it was refused with %v", err)
	}
	if out, err := clone("bob", "b"); err != nil {
		t.Errorf("the clone of another client: %v\n%s", err, out)
	}
	patient := b.git.Impatient(time.Minute)
	b.git.Share(patient)
	b.git = patient
	waits := make(chan string)
	for i := range 3 {
		go func() {
			out, err := clone("alice", fmt.Sprint("w", i))
			waits <- fmt.Sprint(out, err)
		}()
	}
	for patient.Waiting() < 3 {
		runtime.Gosched()
	}
	for _, conn := range held {
		conn.Close()
	}
	for range 3 {
		if said := <-waits; said != "<nil>" {
			t.Errorf("a clone whose turn came: %s", said)
		}
	}
	for range git.ServeShare + 3 + 3*3 { // bob's three, and those that waited
		<-served
	}
	if out, err := clone("alice", "c"); err != nil {
		t.Errorf("a clone after the others have ended: %v\n%s", err, out)
	}
}
