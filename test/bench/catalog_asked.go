package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// queries measures what is asked most.
func (c *catalogued) queries(ctx context.Context) error {
	scale := 1.0
	if c.entities > 100_000 {
		scale = 5
	}
	var refs []string
	for i := range 100 {
		refs = append(refs, c.made.ref(i*7%c.made.entities))
	}
	for _, q := range []struct {
		name  string
		path  func(i int) string
		bound float64
	}{
		{"by_query", ofTwo, 5},
		{"by_owner", func(i int) string {
			return "/api/v1/entities?kind=component&owner=" + url.QueryEscape(c.made.owner(i)) + "&limit=20"
		}, 5},
		{"facets", func(i int) string {
			return "/api/catalog/entity-facets?facet=spec.type&filter=kind=" + []string{"component", "api", "resource"}[i%3]
		}, 5},
		{"by_name", func(i int) string { return "/api/catalog/entities/by-name/" + c.made.path(i*997) }, 5},
		{"full_text", func(i int) string {
			return "/api/v1/entities?text=" + url.QueryEscape(c.made.words(i)) + "&limit=20"
		}, 15},
		{"full_text_by_query", func(i int) string {
			return byQuery + "limit=20&fullTextFilterTerm=" + url.QueryEscape(c.made.words(i)) + "&fullTextFilterFields=metadata.name,metadata.title,metadata.description"
		}, 15},
	} {
		took, err := c.ask(ctx, q.path, catalogRounds)
		if err != nil {
			return err
		}
		figure(c.name(q.name+"_p50"), took.at(0.5), "ms")
		c.most(c.name(q.name+"_p99"), took.at(0.99), min(q.bound*scale, max(q.bound, 25)), "ms")
	}
	if err := c.pages(ctx, 5*scale); err != nil {
		return err
	}
	if err := c.searches(ctx); err != nil {
		return err
	}
	if err := c.byRefs(ctx, refs, 5*scale); err != nil {
		return err
	}
	for _, q := range []struct {
		name  string
		path  func(i int) string
		least float64
	}{
		{"by_name", func(i int) string { return "/api/v1/entities/" + c.made.path(i*997) }, 5000},
		{"backstage_by_name", func(i int) string { return "/api/catalog/entities/by-name/" + c.made.path(i*997) }, 0},
		{"by_query", func(i int) string { return ofTwo(i) + "&offset=" + strconv.Itoa(i*7%1000) }, 2000},
	} {
		n, err := throughput(ctx, c.s.api.URL, c.s.api.Token, q.path)
		if err != nil {
			return err
		}
		if q.least == 0 {
			figure(c.name(q.name+"_on_8_connections"), n, "1/s")
			continue
		}
		c.least(c.name(q.name+"_on_8_connections"), n, q.least, "1/s")
	}
	return bareHandler(ctx, c.kind)
}

const byQuery = "/api/catalog/entities/by-query?"

// ofTwo asks with two filters.
func ofTwo(i int) string {
	kind := []string{"component", "api", "resource"}[i%3]
	return byQuery + "limit=20&filter=kind=" + kind + ",spec.type=" + typesMade[kind][i/3%len(typesMade[kind])]
}

// pages reads an ordered list of Backstage's API page by page.
func (c *catalogued) pages(ctx context.Context, bound float64) error {
	var took spread
	rest := "limit=50&orderField=metadata.title,desc&filter=kind=component"
	for i := range min(catalogRounds, c.made.entities/100) + warming {
		var page struct {
			Items    []json.RawMessage `json:"items"`
			PageInfo struct {
				NextCursor string `json:"nextCursor"`
			} `json:"pageInfo"`
		}
		began := time.Now()
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.s.api.URL+byQuery+rest, nil)
		if err != nil {
			return err
		}
		r.Header.Set("Authorization", "Bearer "+c.s.api.Token)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			return err
		}
		text, err := io.ReadAll(response.Body)
		response.Body.Close()
		if i >= warming {
			took = append(took, time.Since(began))
		}
		if err == nil {
			err = json.Unmarshal(text, &page)
		}
		if err != nil || len(page.Items) != 50 || page.PageInfo.NextCursor == "" {
			return fmt.Errorf("page %d is %.200s: %w", i, text, err)
		}
		rest = "limit=50&cursor=" + url.QueryEscape(page.PageInfo.NextCursor)
	}
	figure(c.name("ordered_page_p50"), took.at(0.5), "ms")
	c.most(c.name("ordered_page_p99"), took.at(0.99), bound, "ms")
	return nil
}

// warming is how many requests of each sort go before those that are measured.
const warming = 20

// ask sends requests one after another on one connection.
func (c *catalogued) ask(ctx context.Context, path func(i int) string, n int) (spread, error) {
	var took spread
	for i := range n + warming {
		began := time.Now()
		if err := get(ctx, c.s.api.URL+path(i), c.s.api.Token); err != nil {
			return nil, err
		}
		if i >= warming {
			took = append(took, time.Since(began))
		}
	}
	return took, nil
}

func get(ctx context.Context, address, token string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	if err := finished(http.DefaultClient.Do(r)); err != nil {
		return fmt.Errorf("%s: %w", address, err)
	}
	return nil
}

// finished reads an answer to its end.
func finished(response *http.Response, err error) error {
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode >= 300 {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 1000)) // for the message alone
		return fmt.Errorf("%s: %s", response.Status, text)
	}
	_, err = io.Copy(io.Discard, response.Body)
	return err
}

// byRefs asks Backstage's API for a hundred entities by their references, where the server has it.
func (c *catalogued) byRefs(ctx context.Context, refs []string, bound float64) error {
	text, err := json.Marshal(map[string]any{"entityRefs": refs})
	if err != nil {
		return err
	}
	var took spread
	for i := range catalogRounds/4 + 20 {
		began := time.Now()
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.s.api.URL+"/api/catalog/entities/by-refs", strings.NewReader(string(text)))
		if err != nil {
			return err
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+c.s.api.Token)
		response, err := http.DefaultClient.Do(r)
		if err == nil && i == 0 && (response.StatusCode == http.StatusNotFound || response.StatusCode == http.StatusMethodNotAllowed) {
			response.Body.Close()
			fmt.Fprintln(os.Stderr, "bench: this server has no /api/catalog; by-refs is left out")
			return nil
		}
		if err := finished(response, err); err != nil {
			return err
		}
		if i >= 20 { // as in ask
			took = append(took, time.Since(began))
		}
	}
	figure(c.name("by_refs_of_100_p50"), took.at(0.5), "ms")
	c.most(c.name("by_refs_of_100_p99"), took.at(0.99), bound, "ms")
	return nil
}

// throughput gives how many requests a second are answered on 8 connections. It writes them to the connections itself, so
// that the machine's time goes to the server and not to the one who asks.
func throughput(ctx context.Context, address, token string, path func(i int) string) (float64, error) {
	at, err := url.Parse(address)
	if err != nil {
		return 0, err
	}
	var n atomic.Int64
	all, ctx := errgroup.WithContext(ctx)
	began := time.Now()
	for k := range 8 {
		all.Go(func() error {
			var dialer net.Dialer
			conn, err := dialer.DialContext(ctx, "tcp", at.Host)
			if err != nil {
				return err
			}
			defer conn.Close()
			answers := bufio.NewReader(conn)
			for i := k; time.Since(began) < throughputFor && ctx.Err() == nil; i += 8 {
				if _, err := fmt.Fprintf(conn, "GET %s%s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n\r\n", at.Path, path(i), at.Host, token); err != nil {
					return err
				}
				if err := finished(http.ReadResponse(answers, nil)); err != nil {
					return fmt.Errorf("%s: %w", path(i), err)
				}
				n.Add(1)
			}
			return nil
		})
	}
	err = all.Wait()
	return float64(n.Load()) / time.Since(began).Seconds(), err
}
