package git

import (
	"context"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// pushedAtOnce is how many references one command pushes.
const pushedAtOnce = 500

// PushRequest says what is pushed to a remote.
type PushRequest struct {
	// Updates are the references to move there, to objects that are here. Old is where the remote is to have it: Zero when
	// it must not exist there, "" when that does not matter.
	Updates []Update
	// Atomic moves all of them or none, where the remote can do that; then there are 500 at most.
	Atomic bool
	Limits
}

// PushTo moves references of a remote, forward or not. It fails with fault.Conflict when one is not where it was expected,
// fault.Denied when the remote refuses one, with its words, and otherwise as Fetch does. Without Atomic the others may
// have moved.
func (g *Git) PushTo(ctx context.Context, dir string, r Remote, q PushRequest) error {
	if q.Atomic && len(q.Updates) > pushedAtOnce {
		return fault.Errorf(fault.TooLarge, "at most %d references are pushed at once", pushedAtOnce)
	}
	var failed error
	for rest := q.Updates; len(rest) > 0; {
		part := rest[:min(len(rest), pushedAtOnce)]
		rest = rest[len(part):]
		err := g.pushTo(ctx, dir, r, q, part)
		if failed == nil {
			failed = err
		}
		if err != nil && !fault.Is(err, fault.Conflict) && !fault.Is(err, fault.Denied) {
			break // the next part would end the same way
		}
	}
	return fault.Wrap(failed, "push to %s", r.host())
}

func (g *Git) pushTo(ctx context.Context, dir string, r Remote, q PushRequest, part []Update) error {
	args := []string{"push", "--porcelain", "--no-verify", "--recurse-submodules=no", "--no-follow-tags", "--no-signed"}
	if q.Atomic && len(part) > 1 {
		args = append(args, "--atomic")
	}
	if q.Progress != nil {
		args = append(args, "--progress")
	} else {
		args = append(args, "--quiet")
	}
	var specs []string
	for _, u := range part {
		if err := CheckRef(u.Ref); err != nil {
			return err
		}
		if !IsHash(u.New) || u.Old != "" && !IsHash(u.Old) {
			return fault.Errorf(fault.Invalid, "%q or %q is not a full hash", clip(u.Old), clip(u.New))
		}
		spec := u.New + ":" + u.Ref
		if u.Deletes() {
			spec = ":" + u.Ref
		}
		if u.Old == "" {
			spec = "+" + spec
		} else {
			args = append(args, "--force-with-lease="+u.Ref+":"+strings.TrimPrefix(u.Old, zeroHash))
		}
		specs = append(specs, spec)
	}
	args = append(append(args, "--", r.URL), specs...)
	out, _, err := g.exchange(ctx, r, q.Limits, call{dir: dir, args: args, limit: int64(len(part)+10) * 1 << 10})
	if refused := refusal(out); refused != nil {
		return refused
	}
	return err
}

// refusal reads git push --porcelain: "!<tab>from:to<tab>[rejected] (why)" for each reference that did not move.
func refusal(out []byte) error {
	for line := range strings.Lines(string(out)) {
		said, ok := strings.CutPrefix(line, "!\t")
		if !ok {
			continue
		}
		specs, why, _ := strings.Cut(said, "\t")
		_, name, _ := strings.Cut(specs, ":")
		why = tidy(why)
		switch {
		case strings.Contains(why, "atomic"):
			continue // another one is the reason
		case strings.Contains(why, "stale info"), strings.Contains(why, "already exists"), strings.Contains(why, "fetch first"),
			strings.Contains(why, "cannot lock ref"), strings.Contains(why, "failed to update ref"), strings.Contains(why, "reference already exists"):
			return fault.Errorf(fault.Conflict, "%s has moved on there; read it again and repeat the change on its new head: %s", name, why)
		}
		return fault.Errorf(fault.Denied, "%s is refused there: %s", name, why)
	}
	return nil
}
