package api

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/sse"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func (a *API) eventRoutes() {
	op := operation("followEvents", http.MethodGet, "/events", "home", "The ledger and what a page shows, as they change, on one stream of server-sent events")
	stream(a, op, map[string]any{
		"start": Start{}, "entry": Entry{}, "run": RunDetail{}, "log": LogChunk{}, "end": LogEnd{}, "application": ApplicationDetail{}, "refused": Refusal{},
	}, a.followEvents)
}

// eventsInput names what is followed besides the ledger. All of a page comes on one stream, since a browser keeps only
// six connections to a server, in all of its windows together.
type eventsInput struct {
	After       int64  `query:"after" minimum:"0" doc:"Position of the ledger from which entries are told; 0 begins at its end."`
	Run         string `query:"run" maxLength:"64"`
	Step        string `query:"step" maxLength:"200" doc:"Id or key of a step of the run, whose log is told."`
	Attempt     int    `query:"attempt" minimum:"0" doc:"0 for the newest."`
	Offset      int64  `query:"offset" minimum:"0" doc:"First byte of the log."`
	Application string `query:"application" maxLength:"130" doc:"NAMESPACE/NAME."`
}

// Start tells where in the ledger a stream begins, so that the next one can go on there.
type Start struct {
	Position int64 `json:"position"`
}

// Refusal tells that a part of a stream can't be followed. The other parts go on.
type Refusal struct {
	Of      string          `json:"of" enum:"ledger,run,log,application"`
	Problem huma.ErrorModel `json:"problem"`
}

func (a *API) followEvents(ctx context.Context, in *eventsInput, send sse.Sender) {
	var parts sync.WaitGroup
	defer parts.Wait()
	part := func(of string, follow func(send sse.Sender)) {
		parts.Go(func() {
			follow(func(m sse.Message) error {
				if problem, ok := m.Data.(huma.ErrorModel); ok {
					m.Data = Refusal{Of: of, Problem: problem}
				}
				return send(m)
			})
		})
	}
	after := in.After
	if after == 0 {
		err := a.DB.Read(ctx, func(tx *store.Tx) (err error) {
			after, _, err = a.Ledger.Head(ctx, tx)
			return err
		})
		if err != nil {
			a.sendProblem(ctx, send, err)
			return
		}
	}
	if send.Data(Start{Position: after}) != nil {
		return
	}
	ledger := followLedgerInput{LastEventID: strconv.FormatInt(after, 10)}
	part("ledger", func(send sse.Sender) { a.followLedger(ctx, &ledger, send) })
	if in.Run != "" {
		run := RunInput{in.Run}
		part("run", func(send sse.Sender) { a.followRun(ctx, &followInput{RunInput: run}, send) })
	}
	if in.Run != "" && in.Step != "" {
		log := followLogInput{LogInput: LogInput{ID: in.Run, Step: in.Step, Attempt: in.Attempt, Offset: in.Offset}}
		part("log", func(send sse.Sender) { a.followLog(ctx, &log, send) })
	}
	if namespace, name, ok := strings.Cut(in.Application, "/"); ok {
		part("application", func(send sse.Sender) { a.followApplication(ctx, &Named{namespace, name}, send) })
	} else if in.Application != "" {
		part("application", func(send sse.Sender) {
			a.sendProblem(ctx, send, fault.Errorf(fault.Invalid, "%q does not name an application; write NAMESPACE/NAME", in.Application))
		})
	}
}
