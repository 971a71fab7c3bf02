package fault_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func TestKindSurvivesWrapping(t *testing.T) {
	t.Parallel()
	err := fault.At("the manifest is wrong", fault.Detail{File: "deploy/app.yaml", Line: 3, Field: "spec.replicas", Message: "must be a number", Hint: "write 2"})
	wrapped := fault.Wrap(fmt.Errorf("reading: %w", err), "sync %s", "shop")
	if got := fault.KindOf(wrapped); got != fault.Invalid {
		t.Errorf("kind = %v, want invalid", got)
	}
	if got := len(fault.Details(wrapped)); got != 1 {
		t.Errorf("details = %d, want 1", got)
	}
	want := "sync shop: the manifest is wrong\n  deploy/app.yaml:3: spec.replicas: must be a number (write 2)"
	if wrapped.Error() != want {
		t.Errorf("error = %q, want %q", wrapped.Error(), want)
	}
}

func TestUnknownErrorsAreNotShown(t *testing.T) {
	t.Parallel()
	err := fault.Wrap(errors.New("password=hunter2"), "connect")
	if fault.KindOf(err) != fault.Internal {
		t.Errorf("kind = %v, want internal", fault.KindOf(err))
	}
	if got := fault.Message(err); got != "internal error; the server's log has the details" {
		t.Errorf("message = %q shows what is inside", got)
	}
	if fault.KindOf(context.Canceled) != fault.Canceled {
		t.Error("a cancelled context is not of kind canceled")
	}
	full := fault.Wrap(&fs.PathError{Op: "write", Path: "/secret/place", Err: syscall.ENOSPC}, "keep")
	if got := fault.Message(full); fault.KindOf(full) != fault.Unavailable || got != "a disk of the server is full; free some space and try again" {
		t.Errorf("a full disk is %v: %q", fault.KindOf(full), got)
	}
	if fault.Wrap(nil, "x") != nil {
		t.Error("wrapping nil gives an error")
	}
}
