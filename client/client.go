package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Client calls one server.
type Client struct {
	URL   string // http://127.0.0.1:8080
	Token string // rbt_…; empty for nobody
	HTTP  *http.Client
}

// New gives a client of the server at an address.
func New(address, token string) *Client {
	return &Client{URL: strings.TrimSuffix(address, "/"), Token: token, HTTP: &http.Client{}}
}

// prefix is where the native API lives.
const prefix = "/api/v1"

// answerLimit bounds an answer that is read whole, in bytes.
const answerLimit = 256 << 20

// Problem is how the server tells an error (RFC 9457).
type Problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Errors []struct {
		Message  string `json:"message"`
		Location string `json:"location"`
	} `json:"errors"`
}

// kinds is the way back from HTTP to faults.
var kinds = map[int]fault.Kind{
	400: fault.Invalid, 401: fault.Unauthenticated, 403: fault.Denied, 404: fault.NotFound, 409: fault.Conflict, 412: fault.Stale,
	413: fault.TooLarge, 422: fault.Invalid, 429: fault.Exhausted, 499: fault.Canceled, 503: fault.Unavailable,
}

func (p Problem) fault() error {
	err := &fault.Error{Kind: kinds[p.Status], Message: p.Detail}
	if err.Message == "" {
		err.Message = p.Title
	}
	for _, e := range p.Errors {
		err.Details = append(err.Details, fault.Detail{Field: e.Location, Message: e.Message})
	}
	return err
}

// Do calls the API: path is below /api/v1, in becomes the body as JSON (nil for none), and the answer is read into out
// (nil to drop it).
func (c *Client) Do(ctx context.Context, method, path string, query url.Values, in, out any) error {
	response, err := c.send(ctx, method, path, query, in, "application/json")
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if out == nil || response.StatusCode == http.StatusNoContent {
		_, err := io.Copy(io.Discard, io.LimitReader(response.Body, answerLimit))
		return err
	}
	if raw, ok := out.(*[]byte); ok {
		*raw, err = io.ReadAll(io.LimitReader(response.Body, answerLimit))
		return err
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, answerLimit)).Decode(out); err != nil {
		return fmt.Errorf("read the answer of %s %s: %w", method, path, err)
	}
	return nil
}

func (c *Client) send(ctx context.Context, method, path string, query url.Values, in any, accept string) (*http.Response, error) {
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("encode the request: %w", err)
		}
		body = bytes.NewReader(data)
	}
	address := c.URL + prefix + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "%q is not the address of a server: %w", c.URL, err)
	}
	if in != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	request.Header.Set("Accept", accept)
	if c.Token != "" {
		request.Header.Set("Authorization", "Bearer "+c.Token)
	}
	response, err := c.HTTP.Do(request)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fault.Errorf(fault.Unavailable, "%s does not answer: %w; is the server running?", c.URL, errors.Unwrap(err))
	}
	if response.StatusCode < 400 {
		return response, nil
	}
	defer response.Body.Close()
	return nil, problem(response)
}

func problem(response *http.Response) error {
	data, _ := io.ReadAll(io.LimitReader(response.Body, 1<<20)) // what came is shown
	var p Problem
	if json.Unmarshal(data, &p) != nil || p.Title == "" {
		p.Detail = strings.TrimSpace(string(data))
	}
	p.Status = response.StatusCode
	if p.Title == "" {
		p.Title = response.Status
	}
	return p.fault()
}

// Get reads one thing.
func Get[T any](ctx context.Context, c *Client, path string, query url.Values) (T, error) {
	var out T
	err := c.Do(ctx, http.MethodGet, path, query, nil, &out)
	return out, err
}

// Post sends something and reads the answer.
func Post[T any](ctx context.Context, c *Client, path string, in any) (T, error) {
	var out T
	if in == nil {
		in = struct{}{}
	}
	err := c.Do(ctx, http.MethodPost, path, nil, in, &out)
	return out, err
}

// All reads every page of a list.
func All[T any](ctx context.Context, c *Client, path string, query url.Values) ([]T, error) {
	page := url.Values{}
	for k, v := range query {
		page[k] = v
	}
	page.Set("limit", "200")
	var all []T
	for {
		list, err := Get[List[T]](ctx, c, path, page)
		if err != nil {
			return nil, err
		}
		all = append(all, list.Items...)
		if list.Next == "" {
			return all, nil
		}
		page.Set("cursor", list.Next)
	}
}
