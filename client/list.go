package client

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"strconv"
)

// List is one page of a list.
type List[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty" doc:"Cursor of the next page; absent at the end."`
}

// pageMost is how many items the server gives at once, at most.
const pageMost = 200

// All reads every page of a list.
func All[T any](ctx context.Context, c *Client, path string, query url.Values) ([]T, error) {
	all, _, err := Some[T](ctx, c, path, query, 0)
	return all, err
}

// Some reads the first items of a list, over as many pages as they fill: at most limit, or all when that is 0. Whether
// the list goes on behind them is told by more.
func Some[T any](ctx context.Context, c *Client, path string, query url.Values, limit int) (items []T, more bool, err error) {
	page := maps.Clone(query)
	if page == nil {
		page = url.Values{}
	}
	items = []T{} // an empty list is told as one, and not as null
	for {
		size := pageMost
		if limit > 0 {
			size = min(pageMost, limit-len(items))
		}
		page.Set("limit", strconv.Itoa(size))
		list, err := Get[List[T]](ctx, c, path, page)
		if err != nil {
			return nil, false, err
		}
		items = append(items, list.Items...)
		switch {
		case limit > 0 && len(items) > limit: // a list without pages
			return items[:limit], true, nil
		case list.Next == "" || limit > 0 && len(items) == limit:
			return items, list.Next != "", nil
		case list.Next == page.Get("cursor"):
			return nil, false, fmt.Errorf("the pages of %s do not end: %q leads to itself", path, list.Next)
		}
		page.Set("cursor", list.Next)
	}
}
