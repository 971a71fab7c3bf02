package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/client"
)

// searches measures the search of what was made: the beginning of a word, a typo, two words, a single letter; and the size of
// its index.
func (c *catalogued) searches(ctx context.Context) error {
	err := c.until(ctx, 10*time.Minute, func() (bool, error) {
		found, err := client.Get[client.SearchResult](ctx, c.s.api, "/search", url.Values{"limit": {"1"}, "in": {"entities,apis"}})
		return !found.Building && found.Total >= c.made.entities, err
	})
	if err != nil {
		return fmt.Errorf("the search does not know all: %w", err)
	}
	bound := 15.0
	if c.entities > 100_000 {
		bound = 25
	}
	typo := func(i int) string { // two letters of a word are swapped
		word := wordsMade[i%len(wordsMade)]
		return word[:1] + word[2:3] + word[1:2] + word[3:]
	}
	for _, q := range []struct {
		name string
		text func(i int) string
	}{
		{"prefix", func(i int) string { return wordsMade[i%len(wordsMade)][:3] }},
		{"typo", func(i int) string { return typo(i) + " part " + fmt.Sprint(i*997%c.made.entities) }},
		{"two_words", c.made.words},
		{"letter", func(i int) string { return wordsMade[i%len(wordsMade)][:1] }},
	} {
		took, err := c.ask(ctx, func(i int) string {
			return "/api/v1/search?limit=20&facets=kind,type,owner&q=" + url.QueryEscape(q.text(i))
		}, catalogRounds)
		if err != nil {
			return err
		}
		figure(c.name("search_"+q.name+"_p50"), took.at(0.5), "ms")
		c.most(c.name("search_"+q.name+"_p99"), took.at(0.99), bound, "ms")
	}
	bytes, err := c.metric(ctx, "roadbed_search_bytes")
	if err != nil {
		return err
	}
	c.most(c.name("search_index"), bytes/1e6, 60*max(1, float64(c.entities)/100_000), "MB")
	return nil
}

// metric reads a gauge of the server.
func (c *catalogued) metric(ctx context.Context, name string) (float64, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.s.api.URL+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	request.Header.Set("Authorization", "Bearer "+c.s.api.Token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		if value, is := strings.CutPrefix(lines.Text(), name+" "); is {
			return strconv.ParseFloat(value, 64)
		}
	}
	return 0, fmt.Errorf("the server has no metric %s", name)
}
