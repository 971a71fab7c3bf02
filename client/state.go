package client

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// StateResource is one instance of a resource in a version of a stack's state.
// GET /stacks/{namespace}/{name}/states/{id}/resources lists them, GET /stacks/{namespace}/{name}/states/{id}/resource gives one
// (stack:read; its attributes for stack:state or stack:state-read).
type StateResource struct {
	Address    string         `json:"address"`
	Mode       string         `json:"mode" doc:"managed, or data for what the engine only reads."`
	Type       string         `json:"type"`
	Name       string         `json:"name"`
	Module     string         `json:"module,omitempty"`
	Provider   string         `json:"provider" example:"hashicorp/aws"`
	Key        string         `json:"key,omitempty" doc:"Of the instance: 0, or \"blue\"."`
	Status     string         `json:"status,omitempty" doc:"tainted, deposed, or absent."`
	Identity   string         `json:"identity,omitempty" doc:"The value by which people know it, such as an ARN; none that is sensitive."`
	Attributes map[string]any `json:"attributes,omitempty" doc:"Without sensitive values; absent in lists, and for whoever may not read the state."`
}

// StateDiff is what differs between two versions of a stack's state.
// GET /stacks/{namespace}/{name}/states/{id}/diff (stack:read; values for stack:state or stack:state-read).
type StateDiff struct {
	From    *StateVersion `json:"from,omitempty" doc:"Absent where there is no version before."`
	To      StateVersion  `json:"to"`
	Created int           `json:"created" doc:"Resources, of all that differs."`
	Updated int           `json:"updated"`
	Deleted int           `json:"deleted"`
	Values  bool          `json:"values" doc:"Whether the caller may see values of attributes."`
	Outputs []StateChange `json:"outputs" doc:"All that differ, with each page."`
	Items   []StateChange `json:"items"`
	Next    string        `json:"next,omitempty" doc:"Cursor of the next page; absent at the end."`
}

// StateChange is what differs in one resource, or one output.
type StateChange struct {
	Address   string   `json:"address"`
	Mode      string   `json:"mode,omitempty"`
	Type      string   `json:"type,omitempty"`
	Name      string   `json:"name,omitempty"`
	Module    string   `json:"module,omitempty"`
	Provider  string   `json:"provider,omitempty"`
	Action    string   `json:"action" enum:"create,update,delete"`
	Changed   []string `json:"changed,omitempty" doc:"Attributes whose values differ, of an update."`
	Before    any      `json:"before,omitempty"`
	After     any      `json:"after,omitempty"`
	Sensitive bool     `json:"sensitive,omitempty" doc:"Some value was taken out."`
}

// MovedResources is what went from the state of one stack to that of another.
// POST /stacks/{namespace}/{name}/move-resources (stack:state in both spaces).
type MovedResources struct {
	Addresses []string      `json:"addresses" doc:"Of the instances; the first 1,000."`
	Count     int           `json:"count"`
	From      StateVersion  `json:"from" doc:"The newest version, after the move unless it was only tried."`
	To        *StateVersion `json:"to,omitempty"`
	Tried     bool          `json:"tried,omitempty" doc:"Nothing was written."`
}

// Resource is one thing under management, in the newest state of a stack. GET /resources (stack:read; others are left out).
type Resource struct {
	Stack     string    `json:"stack" example:"stack:default/shop-infra"`
	Space     string    `json:"space"`
	Owner     string    `json:"owner" doc:"Of the stack."`
	Orphan    bool      `json:"orphan,omitempty" doc:"The document of the stack is deleted."`
	Address   string    `json:"address"`
	Type      string    `json:"type"`
	Name      string    `json:"name"`
	Module    string    `json:"module,omitempty"`
	Provider  string    `json:"provider" example:"hashicorp/aws"`
	Identity  string    `json:"identity,omitempty" doc:"The value by which people know it, such as an ARN; none that is sensitive."`
	FirstSeen time.Time `json:"firstSeen"`
	Changed   time.Time `json:"changed"`
	Run       string    `json:"run,omitempty" doc:"That changed it last; absent when a person did."`
	Actor     Actor     `json:"actor"`
	Drift     string    `json:"drift,omitempty" enum:"create,update,replace,delete,import,move,forget" doc:"What a plan would do to bring it back to what was applied, as the newest look for drift found: create for what is gone; absent for nothing."`
	Looked    time.Time `json:"looked,omitzero" doc:"When its stack was looked at for drift, or applied; absent before the first time."`
}

// PullState gives a version of a stack's state as it was written: by its id, its serial, or "latest" (stack:state or
// stack:state-read). NotFound when there is none.
func (c *Client) PullState(ctx context.Context, namespace, name, version string) ([]byte, error) {
	return c.state(ctx, http.MethodGet, namespace, name, url.Values{"version": {version}}, nil)
}

// PushState takes up a state from outside as the newest version of a stack's (stack:state). Its serial is above the newest one's
// and its lineage the same, otherwise Conflict; force takes it anyway (stack:state-force).
func (c *Client) PushState(ctx context.Context, namespace, name string, data []byte, force bool) error {
	query := url.Values{"push": {"true"}}
	if force {
		query.Set("force", "true")
	}
	_, err := c.state(ctx, http.MethodPost, namespace, name, query, data)
	return err
}

func (c *Client) state(ctx context.Context, method, namespace, name string, query url.Values, data []byte) ([]byte, error) {
	address := c.URL + "/api/state/" + url.PathEscape(namespace) + "/" + url.PathEscape(name) + "?" + query.Encode()
	request, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(data))
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "%q is not the address of a server: %w", c.URL, err)
	}
	if c.Token != "" {
		request.Header.Set("Authorization", "Bearer "+c.Token)
	}
	response, err := c.deliver(request) // the same state again changes nothing
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fault.Errorf(fault.Unavailable, "%s does not answer: %w; is the server running?", c.URL, err)
	}
	defer response.Body.Close()
	if response.StatusCode >= 400 {
		return nil, problem(response)
	}
	said, err := whole(response.Body, answerLimit)
	if err != nil {
		return nil, fmt.Errorf("read the state: %w", err)
	}
	return said, nil
}
