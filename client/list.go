package client

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"net/url"
	"strconv"
)

// List is one page of a list. Its query takes limit (1 to 200, else 50 in most lists) and cursor (the Next of the page before).
type List[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty" doc:"Cursor of the next page; absent at the end."`
}

// pageMost is how many items the server gives at once, at most.
const pageMost = 200

// Each goes over a list, asking for its pages as they are needed; an error is the last thing that it gives. What is
// added meanwhile may be missed.
func Each[T any](ctx context.Context, c *Client, path string, query url.Values) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for list, err := range pages[T](ctx, c, path, query, func() int { return pageMost }) {
			if err != nil {
				yield(*new(T), err)
				return
			}
			for _, item := range list.Items {
				if !yield(item, nil) {
					return
				}
			}
		}
	}
}

// All reads every page of a list.
func All[T any](ctx context.Context, c *Client, path string, query url.Values) ([]T, error) {
	all, _, err := Some[T](ctx, c, path, query, 0)
	return all, err
}

// Some reads the first items of a list, over as many pages as they fill: at most limit, or all when that is 0. Whether
// the list goes on behind them is told by more.
func Some[T any](ctx context.Context, c *Client, path string, query url.Values, limit int) (items []T, more bool, err error) {
	items = []T{} // an empty list is told as one, and not as null
	size := func() int {
		if limit > 0 {
			return min(pageMost, limit-len(items))
		}
		return pageMost
	}
	for list, err := range pages[T](ctx, c, path, query, size) {
		if err != nil {
			return nil, false, err
		}
		items = append(items, list.Items...)
		switch {
		case limit > 0 && len(items) > limit: // a list without pages
			return items[:limit], true, nil
		case limit > 0 && len(items) == limit:
			return items, list.Next != "", nil
		}
	}
	return items, false, nil
}

// pages gives the pages of a list, each of as many items as size says when it is asked for.
func pages[T any](ctx context.Context, c *Client, path string, query url.Values, size func() int) iter.Seq2[List[T], error] {
	return func(yield func(List[T], error) bool) {
		page := maps.Clone(query)
		if page == nil {
			page = url.Values{}
		}
		for {
			page.Set("limit", strconv.Itoa(size()))
			list, err := Get[List[T]](ctx, c, path, page)
			if err == nil && list.Next != "" && list.Next == page.Get("cursor") {
				err = fmt.Errorf("the pages of %s do not end: %q leads to itself", path, list.Next)
			}
			if !yield(list, err) || err != nil || list.Next == "" {
				return
			}
			page.Set("cursor", list.Next)
		}
	}
}
