package tfe

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// What a log begins and ends with.
const (
	startOfText = 0x02
	endOfText   = 0x03
)

const (
	logPart = 64 << 10        // bytes that are given at once, at most
	logWait = 2 * time.Second // for more of a log
)

// piece is a part of a log: a text, or what a step has written.
type piece struct {
	text string
	step *run.Step
}

// composed is a log of several pieces, of which the last may still grow.
type composed struct {
	pieces []piece
	done   bool // no more pieces come
}

// newest gives the newest step of a name: a run that was retried has plan, plan-2 and so on.
func newest(steps []run.Step, name string) (found *run.Step) {
	best := 0
	for i := range steps {
		n := 0
		if steps[i].Key == name {
			n = 1
		} else if rest, ok := strings.CutPrefix(steps[i].Key, name+"-"); ok {
			n, _ = strconv.Atoi(rest)
		}
		if n > best {
			best, found = n, &steps[i]
		}
	}
	return found
}

// planPieces are what is planned, and what the policies say of it.
func planPieces(_ context.Context, d run.Detail) composed {
	var c composed
	switch d.Run.State {
	case "queued", "ready", "planning", "judging":
	default:
		c.done = true
	}
	for _, name := range []string{"plan", "judge"} {
		if step := newest(d.Steps, name); step != nil && !step.Started.IsZero() {
			c.pieces = append(c.pieces, piece{step: step})
		}
	}
	if c.done && outputOf(d.Run).Plan == "" {
		c.pieces = append(c.pieces, piece{text: "\n" + d.Run.State + ": " + d.Run.Reason + "\n"})
	}
	return c
}

// applyPieces begin with three lines, which clients take for what an engine says of itself, and leave out.
func (h *Handler) applyPieces(ctx context.Context, d run.Detail) composed {
	c := composed{done: d.Run.Terminal, pieces: []piece{{text: "Roadbed\n" + d.Run.Title + "\n\n"}}}
	in := inputOf(d.Run)
	if judge := newest(d.Steps, "judge"); in.Upload != nil && in.Upload.AutoApply && judge != nil {
		var verdict stack.Verdict
		if json.Unmarshal(judge.Result.Data, &verdict) == nil && (!verdict.Approved || len(verdict.Warn) > 0) {
			c.pieces = append(c.pieces, piece{text: fmt.Sprintf("The policies do not let this be applied without a review. It waits for somebody who may confirm it:\n%s/runs/%s\n\n", h.Base(ctx), d.Run.ID)})
		}
	}
	if step := newest(d.Steps, "apply"); step != nil && !step.Started.IsZero() {
		c.pieces = append(c.pieces, piece{step: step})
	}
	if c.done && d.Run.State != "finished" {
		c.pieces = append(c.pieces, piece{text: "\n" + d.Run.State + ": " + d.Run.Reason + "\n"})
	}
	return c
}

// log gives a route by which a log is read in parts, as it grows.
func (h *Handler) log(compose func(ctx context.Context, d run.Detail) composed) func(w http.ResponseWriter, r *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		ctx, id, err := h.admit(r.Context(), r.PathValue("pass"), toLog)
		if err != nil {
			return err
		}
		offset, limit := number(r, "offset", 0), min(number(r, "limit", logPart), logPart)
		deadline := h.Now().Add(logWait)
		for {
			d, err := h.Runs.Detail(ctx, id)
			if err != nil {
				return err
			}
			part, grows, end, err := h.readPart(ctx, d, compose(ctx, d), offset, limit)
			if err != nil {
				return err
			}
			if len(part) > 0 || end || h.Now().After(deadline) {
				w.Header().Set("Content-Type", "text/plain; charset=utf-8")
				w.Header().Set("Cache-Control", "no-store")
				_, _ = w.Write(part)
				return nil
			}
			if err := h.await(ctx, d, grows, deadline); err != nil {
				return err
			}
		}
	}
}

func number(r *http.Request, name string, otherwise int64) int64 {
	if n, err := strconv.ParseInt(r.URL.Query().Get(name), 10, 64); err == nil && n >= 0 {
		return n
	}
	return otherwise
}

// growing is a step whose log is longer than what was read.
type growing struct {
	step   *run.Step
	offset int64
}

// await returns when there may be more to read, or at the deadline.
func (h *Handler) await(ctx context.Context, d run.Detail, g growing, deadline time.Time) error {
	within, stop := context.WithTimeout(ctx, deadline.Sub(h.Now()))
	defer stop()
	var err error
	if g.step != nil {
		err = h.Runs.WaitLog(within, d.Run.ID, g.step.ID, 0, g.offset)
	} else {
		_, err = h.Runs.Wait(within, d.Run.ID, d.Run.Version)
	}
	if err != nil && within.Err() != nil && ctx.Err() == nil {
		return nil
	}
	return err
}

// readPart gives what stands at an offset of a log: end tells that there is nothing more to come after what was given
// before.
func (h *Handler) readPart(ctx context.Context, d run.Detail, c composed, offset, limit int64) (part []byte, grows growing, end bool, err error) {
	at := int64(0) // where the next piece begins
	add := func(text string) {
		if from := offset + int64(len(part)); from < at+int64(len(text)) && int64(len(part)) < limit {
			rest := text[max(from-at, 0):]
			part = append(part, rest[:min(int64(len(rest)), limit-int64(len(part)))]...)
		}
		at += int64(len(text))
	}
	add(string(rune(startOfText)))
	for _, p := range c.pieces {
		if p.step == nil {
			add(p.text)
			continue
		}
		buffer := make([]byte, limit-int64(len(part)))
		from := max(offset+int64(len(part))-at, 0)
		n, size, whole, err := h.Runs.ReadLog(ctx, d.Run.ID, p.step.ID, 0, from, buffer)
		if err != nil && !fault.Is(err, fault.NotFound) {
			return nil, grows, false, err
		}
		part = append(part, plain(buffer[:n])...)
		if at += size; !whole || from+int64(n) < size {
			return part, growing{p.step, from + int64(n)}, false, nil
		}
	}
	if c.done {
		add(string(rune(endOfText)))
		return part, grows, len(part) == 0, nil
	}
	return part, grows, false, nil
}

// plain takes out of a log the marks that would begin or end it.
func plain(text []byte) []byte {
	for i, b := range text {
		if b == startOfText || b == endOfText {
			text[i] = '?'
		}
	}
	return text
}
