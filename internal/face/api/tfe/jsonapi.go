package tfe

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

const (
	mediaType = "application/vnd.api+json"
	bodyLimit = 8 << 20 // bytes of a request, save those that carry a state
)

// object is what JSON calls so.
type object = map[string]any

// resource gives one resource of JSON:API.
func resource(kind, id string, attributes object, relations object) object {
	o := object{"type": kind, "id": id, "attributes": attributes}
	if len(relations) > 0 {
		o["relationships"] = relations
	}
	return o
}

// to gives a relation to one resource; to none when it has no id.
func to(kind, id string) object {
	if id == "" {
		return object{"data": nil}
	}
	return object{"data": object{"type": kind, "id": id}}
}

// toNone gives a relation to many resources, of which there are none.
func toNone() object { return object{"data": []any{}} }

func moment(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(time.RFC3339)
}

func write(w http.ResponseWriter, status int, document object) error {
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(document) // the client is gone when this can't be written
	return nil
}

func one(w http.ResponseWriter, status int, data object, included ...object) error {
	document := object{"data": data}
	if len(included) > 0 {
		document["included"] = included
	}
	return write(w, status, document)
}

// paging is the part of a list that is asked for.
type paging struct{ number, size int }

const mostPages = 1_000_000

func pagingOf(r *http.Request) paging {
	p := paging{1, 20}
	if n, err := strconv.Atoi(r.URL.Query().Get("page[number]")); err == nil && n > 0 && n < mostPages {
		p.number = n
	}
	if n, err := strconv.Atoi(r.URL.Query().Get("page[size]")); err == nil && n > 0 {
		p.size = min(n, 100)
	}
	return p
}

func (p paging) offset() int { return (p.number - 1) * p.size }

func (p paging) place() page.Place { return page.Place{Offset: p.offset(), Limit: p.size} }

// many answers with a part of a list of total, and what is wanted beside it.
func many(w http.ResponseWriter, p paging, total int, data []object, included ...object) error {
	if data == nil {
		data = []object{}
	}
	pages := max((total+p.size-1)/p.size, 1)
	at := object{"current-page": p.number, "page-size": p.size, "prev-page": nil, "next-page": nil, "total-pages": pages, "total-count": total}
	if p.number > 1 {
		at["prev-page"] = p.number - 1
	}
	if p.number < pages {
		at["next-page"] = p.number + 1
	}
	document := object{"data": data, "meta": object{"pagination": at}}
	if len(included) > 0 {
		document["included"] = included
	}
	return write(w, http.StatusOK, document)
}

// beside gathers resources that come with an answer, each once.
type beside struct {
	all  []object
	seen map[[2]string]bool
}

// has tells whether a resource is there, and counts it as being there from then on.
func (b *beside) has(kind, id string) bool {
	key := [2]string{kind, id}
	if b.seen[key] {
		return true
	}
	if b.seen == nil {
		b.seen = map[[2]string]bool{}
	}
	b.seen[key] = true
	return false
}

func (b *beside) add(o object) {
	if o != nil {
		b.all = append(b.all, o)
	}
}

// asksFor gives what a client wants beside what it asks for, such as current_run: some write it with dashes.
func asksFor(r *http.Request) []string {
	return words(strings.ReplaceAll(r.URL.Query().Get("include"), "-", "_"))
}

// cut gives the part of a whole list.
func cut[T any](all []T, p paging) []T {
	from := min(p.offset(), len(all))
	return all[from:min(from+p.size, len(all))]
}

// request is a resource that a client sends.
type request struct {
	Attributes json.RawMessage `json:"attributes"`
	Relations  map[string]struct {
		Data json.RawMessage `json:"data"`
	} `json:"relationships"`
}

// identifier names a resource.
type identifier struct {
	Type       string `json:"type"`
	ID         string `json:"id"`
	Attributes struct {
		Name  string `json:"name"`
		Key   string `json:"key"`
		Value string `json:"value"`
	} `json:"attributes"`
}

// read takes the resource of a request, and its attributes into a value.
func read(w http.ResponseWriter, r *http.Request, limit int64, attributes any) (request, error) {
	var document struct {
		Data request `json:"data"`
	}
	if err := decode(w, r, limit, &document); err != nil {
		return request{}, err
	}
	return document.Data, document.Data.into(attributes)
}

// into takes the attributes that were sent into a value, and leaves the others in it as they are.
func (q request) into(attributes any) error {
	if len(q.Attributes) == 0 {
		return nil
	}
	if err := json.Unmarshal(q.Attributes, attributes); err != nil {
		return fault.Errorf(fault.Invalid, "the attributes are not what is known of them: %w", err)
	}
	return nil
}

// relation gives a related resource; the zero one when there is none. Errors: Invalid, where in the body.
func (q request) relation(name string) (to identifier, err error) {
	if !q.says(name) {
		return to, nil
	}
	if err := json.Unmarshal(q.Relations[name].Data, &to); err != nil {
		return to, wrongRelation(name, "is not a resource: "+err.Error())
	}
	if to.ID == "" {
		return to, wrongRelation(name, "is a resource without an id")
	}
	return to, nil
}

// wrongRelation points at a relation of a request.
func wrongRelation(name, what string) error {
	return fault.At("the relation "+name+" is wrong", fault.Detail{Field: "/data/relationships/" + name + "/data", Message: what})
}

// says tells whether a request says anything of a relation.
func (q request) says(name string) bool {
	raw := q.Relations[name].Data
	return len(raw) > 0 && string(raw) != "null"
}

// mostRelated bounds the resources of one relation.
const mostRelated = 1000

// relations gives related resources; none where nothing is said of them. Errors: Invalid, TooLarge.
func (q request) relations(name string) (all []identifier, err error) {
	if !q.says(name) {
		return nil, nil
	}
	if err := json.Unmarshal(q.Relations[name].Data, &all); err != nil {
		return nil, wrongRelation(name, "is not a list of resources: "+err.Error())
	}
	if len(all) > mostRelated {
		return nil, fault.Errorf(fault.TooLarge, "the relation %s has %d resources; at most %d are taken", name, len(all), mostRelated)
	}
	return all, nil
}

func decode(w http.ResponseWriter, r *http.Request, limit int64, into any) error {
	data, err := body(w, r, limit)
	if err != nil || len(data) == 0 {
		return err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fault.Errorf(fault.Invalid, "the body is not JSON:API: %w", err)
	}
	return nil
}

func body(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	data, err := io.ReadAll(http.MaxBytesReader(w, io.NopCloser(git.PacedBody(w, r)), limit))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return nil, fault.Errorf(fault.TooLarge, "the body is larger than %d bytes", limit)
	}
	if err != nil {
		return nil, fault.Errorf(fault.Canceled, "the request was cut short: %w", err)
	}
	return data, nil
}

// wireID gives the form in which clients know an id of the house: they look for run- and the like.
func wireID(id string) string {
	kind, rest, _ := strings.Cut(id, "_")
	if short, ok := map[string]string{"cfg": "cv", "sta": "sv"}[kind]; ok {
		kind = short
	}
	if rest == "" {
		return id
	}
	return kind + "-" + rest
}

// houseID gives the house's id, of a kind, of what a client names by a prefix.
func houseID(text, prefix, kind string) string {
	rest, ok := strings.CutPrefix(text, prefix+"-")
	if !ok || len(rest) > 64 {
		return "unknown"
	}
	return kind + "_" + rest
}

func runID(text string) string { return houseID(text, "run", "run") }
