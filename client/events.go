package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Event is one server-sent event. What Data holds depends on the path: as a rule the same JSON that GET gives for it.
type Event struct {
	ID, Name string
	Data     []byte
}

// errStop ends a stream from within.
var errStop = errors.New("stop")

// Follow calls fn with each event of a live stream (a path that ends with /events) until fn says done or gives an error,
// the stream says that it has a problem, or ctx ends. A connection that breaks is taken up again after the last event, and
// so is one to a server that does not answer, every half second for as long as ctx lets it. fn is called by one goroutine.
func (c *Client) Follow(ctx context.Context, path string, query url.Values, fn func(Event) (done bool, err error)) error {
	last := ""
	for {
		err := c.stream(ctx, path, query, &last, fn)
		switch {
		case errors.Is(err, errStop):
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && !fault.Is(err, fault.Unavailable):
			return err
		}
		select {
		case <-time.After(500 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (c *Client) stream(ctx context.Context, path string, query url.Values, last *string, fn func(Event) (bool, error)) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL+prefix+path+"?"+query.Encode(), nil)
	if err != nil {
		return fault.Errorf(fault.Invalid, "%q is not the address of a server: %w", c.URL, err)
	}
	request.Header.Set("Accept", "text/event-stream")
	if c.Token != "" {
		request.Header.Set("Authorization", "Bearer "+c.Token)
	}
	if *last != "" {
		request.Header.Set("Last-Event-ID", *last)
	}
	response, err := c.HTTP.Do(request)
	if err != nil {
		return fault.Errorf(fault.Unavailable, "%s does not answer: %w", c.URL, errors.Unwrap(err))
	}
	defer response.Body.Close()
	if response.StatusCode >= 400 {
		return problem(response)
	}
	return read(response.Body, func(e Event) error {
		if e.ID != "" {
			*last = e.ID
		}
		if e.Name == "beat" { // the stream stands
			return nil
		}
		if e.Name == "problem" {
			var p Problem
			if err := json.Unmarshal(e.Data, &p); err != nil {
				return err
			}
			return p.fault()
		}
		done, err := fn(e)
		if err == nil && done {
			return errStop
		}
		return err
	})
}

// read takes events from a stream; a broken stream is nil, so that it is taken up again.
func read(r io.Reader, fn func(Event) error) error {
	scanner := bufio.NewScanner(r)
	scanner.Buffer(make([]byte, 64<<10), 64<<20)
	var e Event
	for scanner.Scan() {
		line := scanner.Text()
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "":
			if len(e.Data) > 0 {
				if err := fn(e); err != nil {
					return err
				}
			}
			e = Event{}
		case field == "id":
			e.ID = value
		case field == "event":
			e.Name = value
		case field == "data":
			if len(e.Data) > 0 {
				e.Data = append(e.Data, '\n')
			}
			e.Data = append(e.Data, value...)
		}
	}
	return nil
}

// FollowRun calls fn with a run as it is and then each time it changes, until fn says done: most wait for Terminal, or for
// Waiting when a person has to act. GET /runs/{id}/events; run:read.
func (c *Client) FollowRun(ctx context.Context, id string, fn func(RunDetail) (done bool, err error)) error {
	return c.Follow(ctx, "/runs/"+url.PathEscape(id)+"/events", nil, func(e Event) (bool, error) {
		var r RunDetail
		if err := json.Unmarshal(e.Data, &r); err != nil {
			return false, err
		}
		return fn(r)
	})
}

// FollowLog writes a step's log as it is written, from an offset in bytes on, until it is complete. When the step is tried
// again, the log of the next attempt follows from its beginning. GET /runs/{id}/steps/{step}/log/events (run:read and run:log).
func (c *Client) FollowLog(ctx context.Context, run, step string, offset int64, w io.Writer) error {
	path := "/runs/" + url.PathEscape(run) + "/steps/" + url.PathEscape(step) + "/log/events"
	return c.Follow(ctx, path, url.Values{"offset": {strconv.FormatInt(offset, 10)}}, func(e Event) (bool, error) {
		if e.Name == "end" {
			return true, nil
		}
		var chunk LogChunk
		if err := json.Unmarshal(e.Data, &chunk); err != nil {
			return false, err
		}
		_, err := io.WriteString(w, chunk.Text)
		return false, err
	})
}
