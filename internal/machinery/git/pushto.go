package git

import (
	"cmp"
	"context"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

const (
	pushedAtOnce = 500 // references that one command pushes
	pushesApart  = 60  // commands more, to find which of them a remote refuses
	heardBytes   = 500 // of what it says of that
)

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
// fault.Denied when the remote refuses one, with its words, and otherwise as Fetch does. Without Atomic the others have
// moved, also where the remote refuses all that come with one that it refuses; only where it refuses many is that left for
// another time.
func (g *Git) PushTo(ctx context.Context, dir string, r Remote, q PushRequest) error {
	if q.Atomic && len(q.Updates) > pushedAtOnce {
		return fault.Errorf(fault.TooLarge, "at most %d references are pushed at once", pushedAtOnce)
	}
	var failed error
	left := pushesApart
	for rest := q.Updates; len(rest) > 0; {
		part := rest[:min(len(rest), pushedAtOnce)]
		rest = rest[len(part):]
		err := g.pushApart(ctx, dir, r, q, part, &left)
		if failed == nil {
			failed = err
		}
		if err != nil && !fault.Is(err, fault.Conflict) && !fault.Is(err, fault.Denied) {
			break // the next part would end the same way
		}
	}
	return fault.Wrap(failed, "push to %s", r.host())
}

// pushApart pushes references, and halves of them again where the remote refuses all.
func (g *Git) pushApart(ctx context.Context, dir string, r Remote, q PushRequest, part []Update, left *int) error {
	all, err := g.pushTo(ctx, dir, r, q, part)
	if !all || q.Atomic || len(part) == 1 || *left <= 0 {
		return err
	}
	*left -= 2
	half := len(part) / 2
	err = g.pushApart(ctx, dir, r, q, part[:half], left)
	if err != nil && !fault.Is(err, fault.Conflict) && !fault.Is(err, fault.Denied) {
		return err
	}
	return cmp.Or(err, g.pushApart(ctx, dir, r, q, part[half:], left))
}

// pushTo pushes by one command; all tells that the remote refused each of them.
func (g *Git) pushTo(ctx context.Context, dir string, r Remote, q PushRequest, part []Update) (all bool, err error) {
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
			return false, err
		}
		if !IsHash(u.New) || u.Old != "" && !IsHash(u.Old) {
			return false, fault.Errorf(fault.Invalid, "%q or %q is not a full hash", clip(u.Old), clip(u.New))
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
	var heard strings.Builder
	out, _, err := g.exchange(ctx, r, q.Limits, call{dir: dir, args: args, limit: int64(len(part)+10) * 1 << 10, hears: func(words string) {
		if heard.Len() < heardBytes {
			heard.WriteString(words + " ")
		}
	}})
	if n, refused := refusal(out, tidy(heard.String())); refused != nil {
		return n == len(part) && fault.Is(refused, fault.Denied), refused
	}
	return false, err
}

// refusal reads git push --porcelain: "!<tab>from:to<tab>[rejected] (why)" for each reference that did not move. It gives
// how many did not, and why the first, with what the remote says.
func refusal(out []byte, heard string) (n int, first error) {
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
			n++
			continue // another one is the reason
		case strings.Contains(why, "stale info"), strings.Contains(why, "already exists"), strings.Contains(why, "fetch first"),
			strings.Contains(why, "cannot lock ref"), strings.Contains(why, "failed to update ref"), strings.Contains(why, "reference already exists"):
			n, first = n+1, cmp.Or(first, fault.Errorf(fault.Conflict, "%s has moved on there; read it again and repeat the change on its new head: %s", name, why))
		default:
			if heard != "" {
				why += ": " + heard
			}
			n, first = n+1, cmp.Or(first, fault.Errorf(fault.Denied, "%s is refused there: %s", name, why))
		}
	}
	return n, first
}
