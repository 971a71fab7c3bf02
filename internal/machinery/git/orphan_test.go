package git_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/git"
)

// victim does one thing to a repository in a process that is about to be killed. Its descriptor 3 is held by what it
// starts.
func victim(what, dir string) {
	syscall.CloseOnExec(3)
	g, err := git.New("", slog.New(slog.DiscardHandler))
	if err == nil {
		g, ctx := g.Holding(os.NewFile(3, "hold")), context.Background()
		switch what {
		case "commit":
			_, err = g.Commit(ctx, dir, request("", git.FileChange{Path: "y"}))
		case "tree":
			_, err = g.Tree(ctx, dir, "HEAD", "")
		case "archive":
			_, err = g.Archive(ctx, dir, "HEAD", "")
		case "pack":
			err = g.Maintain(ctx, dir)
		case "fetch":
			body := "0032want " + strings.Repeat("1", 40) + "\n00000009done\n"
			r := httptest.NewRequest("POST", "/git-upload-pack", strings.NewReader(body))
			r.Header.Set("Content-Type", "application/x-git-upload-pack-request")
			err = g.Serve(httptest.NewRecorder(), r.WithContext(ctx), dir, git.ServeOptions{Path: git.PathUploadPack})
		}
	}
	fmt.Println("it ended before it was killed:", err)
	os.Exit(1)
}

// Whatever a server that is killed has started ends with it, and so do the processes that git itself starts: a pipe that
// they all hold comes to its end.
func TestNothingOutlivesAKilledServer(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for what, blocked := range map[string]string{ // the file at which git waits, so that it is there to be killed
		"commit": "objects/info/alternates", "tree": "objects/info/alternates", "archive": "objects/info/alternates",
		"fetch": "objects/info/alternates",
		"pack":  "shallow", // which the pack-objects reads that the repack of git gc starts
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			if _, err := b.git.Commit(t.Context(), b.dir, request("", git.FileChange{Path: "x"})); err != nil {
				t.Fatal(err)
			}
			for i := range 20 { // enough for git gc to begin
				loose := filepath.Join(b.dir, "objects", "17", fmt.Sprintf("%038x", i))
				if err := os.MkdirAll(filepath.Dir(loose), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(loose, nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			fifo := filepath.Join(b.dir, blocked)
			if err := os.MkdirAll(filepath.Dir(fifo), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := syscall.Mkfifo(fifo, 0o600); err != nil {
				t.Fatal(err)
			}
			held, hold, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer held.Close()
			server := exec.Command(self)
			server.Env = append(os.Environ(), "ROADBED_TEST_VICTIM="+what, "ROADBED_TEST_DIR="+b.dir)
			server.ExtraFiles = []*os.File{hold}
			server.Stderr = os.Stderr
			out, err := server.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := server.Start(); err != nil {
				t.Fatal(err)
			}
			hold.Close()
			said := make(chan string, 1)
			go func() {
				line, _ := bufio.NewReader(out).ReadString('\n')
				said <- line
			}()
			reader := make(chan *os.File, 1)
			go func() {
				file, err := os.OpenFile(fifo, os.O_WRONLY, 0) // until git opens it
				if err == nil {
					reader <- file
				}
			}()
			select {
			case file := <-reader:
				defer file.Close() // git waits for what is written to it
			case line := <-said:
				if file, err := os.OpenFile(fifo, os.O_RDONLY|syscall.O_NONBLOCK, 0); err == nil {
					defer file.Close() // lets the writer go
				}
				t.Fatal(line)
			}
			_ = server.Process.Kill()
			if _, err := io.Copy(io.Discard, held); err != nil { // until nobody holds it
				t.Error(err)
			}
			for { // the same process may close the one file after the other
				file, err := os.OpenFile(fifo, os.O_WRONLY|syscall.O_NONBLOCK, 0)
				if errors.Is(err, syscall.ENXIO) {
					break // nobody reads it any more
				}
				if err != nil {
					t.Fatal(err)
				}
				file.Close()
			}
			_ = server.Wait()
		})
	}
}
