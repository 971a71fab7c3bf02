//go:build linux && (amd64 || arm64)

package process

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute/executetest/hostiletest"
)

// play is what the test's program does when a test starts it as something else.
func play(role string) {
	if role == "server" {
		serve()
		return
	}
	hostiletest.Play(role)
}

// serve is a server that runs a step until it is killed.
func serve() {
	e, err := New(os.Getenv("PROCESS_TEST_DIR"), nil)
	if err == nil {
		if os.Getenv("PROCESS_TEST_PLAIN") != "" {
			e.withoutIsolation()
		}
		var p execute.Process
		p, err = e.Start(context.Background(), execute.Spec{
			ID: "orphan", Workspace: os.Getenv("PROCESS_TEST_WORK"), Limits: execute.Limits{Memory: 1 << 30},
			Argv: []string{"sh", "-c", `(setsid sh -c 'while :; do echo x >> beat; sleep 0.02; done' &) ; while ! test -s beat; do sleep 0.02; done; echo ready; sleep 600`},
		}, os.Stdout)
		if err == nil {
			fmt.Println("pid", p.PID())
			time.Sleep(time.Hour)
		}
	}
	fmt.Println(err)
}
