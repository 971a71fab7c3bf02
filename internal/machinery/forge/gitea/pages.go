package gitea

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

const (
	usualPage = 50   // items of a page, of a Gitea that does not tell
	mostWhole = 5000 // items of a list that is read to its end
)

// pageSize is how many items Gitea gives at once: it gives fewer than are asked for without a word, which would tear
// holes in a list.
func (f *Forge) pageSize(ctx context.Context) (int, error) {
	if n := f.most.Load(); n > 0 {
		return int(n), nil
	}
	var settings struct {
		Most int64 `json:"max_response_items"`
	}
	if err := f.get(ctx, "/settings/api", nil, &settings); err != nil && !fault.Is(err, fault.NotFound) && !fault.Is(err, fault.Denied) {
		return 0, err
	}
	n := min(max(cmp.Or(settings.Most, usualPage), 1), page.Most)
	f.most.Store(n)
	return int(n), nil
}

// reader reads a page of a list. total is how long the list is, -1 when Gitea does not tell.
type reader[W any] func(number, size int) (items []W, total int, err error)

// pages gives how a list is read, of whose pages each is an array or what in takes from an object.
func pages[W any](ctx context.Context, f *Forge, path string, query url.Values, in func(*[]W) any) reader[W] {
	return func(number, size int) ([]W, int, error) {
		q := url.Values{}
		maps.Copy(q, query)
		q.Set("page", strconv.Itoa(number))
		q.Set("limit", strconv.Itoa(size))
		var items []W
		header, err := f.send(ctx, http.MethodGet, path, q, nil, in(&items))
		if err != nil {
			return nil, 0, err
		}
		total, err := strconv.Atoi(header.Get("X-Total-Count"))
		if err != nil {
			total = -1
		}
		return items, total, nil
	}
}

// more tells whether a list goes on after a page.
func more(number, size, items, total int) bool {
	if total < 0 {
		return items >= size
	}
	return items > 0 && number*size < total
}

func array[W any](items *[]W) any { return items }

// list reads a part of a list. as may leave an item out.
func list[W, T any](ctx context.Context, f *Forge, part page.Request, path string, query url.Values, as func(W) (T, bool)) (page.Of[T], error) {
	return listOf(ctx, f, part, pages(ctx, f, path, query, array[W]), as)
}

func listOf[W, T any](ctx context.Context, f *Forge, part page.Request, read reader[W], as func(W) (T, bool)) (page.Of[T], error) {
	most, err := f.pageSize(ctx)
	if err != nil {
		return page.Of[T]{}, err
	}
	got, err := forge.Numbered(part, most, func(number, size int) ([]W, bool, error) {
		items, total, err := read(number, size)
		return items, more(number, size, len(items), total), err
	})
	if err != nil {
		return page.Of[T]{}, err
	}
	out := page.Of[T]{Next: got.Next}
	for _, w := range got.Items {
		if t, ok := as(w); ok {
			out.Items = append(out.Items, t)
		}
	}
	return out, nil
}

// whole reads a list to its end. Pages may be short, since Gitea leaves out what the caller may not see.
func whole[W, T any](ctx context.Context, f *Forge, path string, query url.Values, as func(W) (T, bool)) ([]T, error) {
	size, err := f.pageSize(ctx)
	if err != nil {
		return nil, err
	}
	read := pages(ctx, f, path, query, array[W])
	var out []T
	for n := 1; ; n++ {
		items, total, err := read(n, size)
		if err != nil {
			return nil, err
		}
		for _, w := range items {
			if t, ok := as(w); ok {
				out = append(out, t)
			}
		}
		if !more(n, size, len(items), total) {
			return out, nil
		}
		if n*size > mostWhole {
			return nil, fault.Errorf(fault.TooLarge, "Gitea lists more than %d at %s", mostWhole, strings.TrimPrefix(path, "/"))
		}
	}
}

// byID is the key of what is listed from memory, by its number.
func byID(id string) string {
	n, _ := strconv.ParseInt(id, 10, 64) // it was made from a number
	return fmt.Sprintf("%020d", n)
}
