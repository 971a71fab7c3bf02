package api

import (
	"context"
	"net/http"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2/sse"
)

// logChunk is how much of a log one event or one read carries at most, in bytes.
const logChunk = 64 << 10

// LogInput names the log of a step's attempt.
type LogInput struct {
	ID      string `path:"id" maxLength:"64"`
	Step    string `path:"step" maxLength:"200" doc:"Id or key."`
	Attempt int    `query:"attempt" minimum:"0" doc:"0 for the newest."`
	Offset  int64  `query:"offset" minimum:"0" doc:"First byte."`
}

type logOutput struct {
	ContentType string `header:"Content-Type"`
	Size        int64  `header:"X-Log-Size" doc:"Bytes so far."`
	Complete    bool   `header:"X-Log-Complete"`
	Body        []byte
}

func (a *API) logRoutes() {
	op := operation("readLog", http.MethodGet, "/runs/{id}/steps/{step}/log", "runs", "A step's log from an offset, at most 1 MiB at once")
	register(a, op, a.readLog)
	follow := operation("followLog", http.MethodGet, "/runs/{id}/steps/{step}/log/events", "runs", "A step's log as it is written, as server-sent events")
	stream(a, follow, map[string]any{"log": LogChunk{}, "end": LogEnd{}}, a.followLog)
}

func (a *API) readLog(ctx context.Context, in *LogInput) (*logOutput, error) {
	p := make([]byte, 1<<20)
	n, size, complete, err := a.Runs.ReadLog(ctx, in.ID, in.Step, in.Attempt, in.Offset, p)
	if err != nil {
		return nil, err
	}
	return &logOutput{"text/plain; charset=utf-8", size, complete, p[:n]}, nil
}

type followLogInput struct {
	LogInput
	LastEventID string `header:"Last-Event-ID" doc:"Where to go on: the id of the last piece."`
}

// attemptBit is where the id of a piece holds the attempt; below it is the byte after the piece.
const attemptBit = 40

// followLog tells a log as it is written. Who follows the newest attempt goes on with the one after it from its beginning.
func (a *API) followLog(ctx context.Context, in *followLogInput, send sse.Sender) {
	log, newest := in.LogInput, in.Attempt == 0
	if in.LastEventID != "" {
		last := int64(number(in.LastEventID))
		log.Attempt, log.Offset = int(last>>attemptBit), last&(1<<attemptBit-1)
	}
	if log.Attempt == 0 {
		var err error
		if log.Attempt, err = a.Runs.Attempt(ctx, log.ID, log.Step); err != nil {
			a.sendProblem(ctx, send, err)
			return
		}
	}
	p := make([]byte, logChunk)
	for ctx.Err() == nil {
		n, size, complete, err := a.Runs.FollowLog(ctx, log.ID, log.Step, log.Attempt, log.Offset, p)
		if err != nil {
			a.sendProblem(ctx, send, err)
			return
		}
		read := n
		n = whole(p[:n], complete || n == len(p))
		if n > 0 {
			next := log.Offset + int64(n)
			piece := LogChunk{Attempt: log.Attempt, Offset: log.Offset, Next: next, Text: string(p[:n])}
			if send(sse.Message{ID: int(int64(log.Attempt)<<attemptBit | next), Data: piece}) != nil {
				return
			}
			log.Offset = next
			continue
		}
		if complete && log.Offset >= size {
			attempt := log.Attempt
			if newest {
				attempt, err = a.Runs.Attempt(ctx, log.ID, log.Step)
			}
			if err != nil {
				a.sendProblem(ctx, send, err)
				return
			}
			if attempt > log.Attempt {
				log.Attempt, log.Offset = log.Attempt+1, 0
				continue
			}
			_ = send.Data(LogEnd{Size: size})
			<-ctx.Done()
			return
		}
		if read > 0 { // the beginning of a character
			err = a.waitLog(ctx, log, read)
		}
		if err != nil {
			a.sendProblem(ctx, send, err)
			return
		}
	}
}

// waitLog waits for more of a log than a few bytes that were read after its offset.
func (a *API) waitLog(ctx context.Context, in LogInput, read int) error {
	ctx, stop := context.WithTimeout(ctx, 5*time.Second)
	defer stop()
	err := a.Runs.WaitLog(ctx, in.ID, in.Step, in.Attempt, in.Offset+int64(read))
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// whole gives how many bytes end at the border of a character, so that events carry valid text.
func whole(p []byte, all bool) int {
	n := len(p)
	for back := 1; back <= min(utf8.UTFMax, n); back++ {
		if utf8.RuneStart(p[n-back]) {
			if !utf8.FullRune(p[n-back:]) && (!all || back < n) {
				return n - back
			}
			return n
		}
	}
	return n
}

// number reads what a client sends back of an event's id; anything else counts as 0.
func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

func (a *API) sendProblem(ctx context.Context, send sse.Sender, err error) {
	if ctx.Err() != nil {
		return
	}
	_ = send.Data(*a.problem(ctx, err)) // the client is gone when this can't be sent
}
