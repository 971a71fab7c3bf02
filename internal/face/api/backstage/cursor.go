package backstage

import (
	"encoding/base64"
	"encoding/json"
	"strconv"

	"github.com/roadbed-dev/roadbed/internal/core/catalog/index"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// cursor is a place in a list, with the list itself, so that a page is asked for by nothing else. Backstage's client looks
// into it: one with a query is sent by POST, any other by GET.
type cursor struct {
	OrderFields          []orderField    `json:"orderFields"`
	FullTextFilter       *fullText       `json:"fullTextFilter,omitempty"`
	OrderFieldValues     []*string       `json:"orderFieldValues"`
	IsPrevious           bool            `json:"isPrevious"`
	Query                json.RawMessage `json:"query,omitempty"`
	FirstSortFieldValues []*string       `json:"firstSortFieldValues,omitempty"`
	TotalItems           *int            `json:"totalItems,omitempty"`
}

type orderField struct {
	Field string `json:"field"`
	Order string `json:"order"`
}

type fullText struct {
	Term   string   `json:"term"`
	Fields []string `json:"fields,omitempty"`
}

func (c cursor) encode() string {
	data, err := json.Marshal(c)
	if err != nil {
		panic(err) // texts, and JSON that was read
	}
	return base64.StdEncoding.EncodeToString(data)
}

func readCursor(text string) (c cursor, err error) {
	data, err := base64Decode(text)
	if err == nil {
		err = json.Unmarshal(data, &c)
	}
	if err != nil {
		return c, fault.Errorf(fault.Invalid, "Malformed cursor, it is not from this list; start again without it")
	}
	if c.OrderFields == nil || len(c.OrderFieldValues) != min(len(c.OrderFields), 1)+1 || c.OrderFieldValues[len(c.OrderFieldValues)-1] == nil {
		return c, fault.Errorf(fault.Invalid, "Malformed cursor, it lacks its place; start again without it")
	}
	return c, nil
}

// position is where a cursor points at.
func (c cursor) position() *index.Position {
	last := len(c.OrderFieldValues) - 1
	return &index.Position{Values: c.OrderFieldValues[:last], Ref: *c.OrderFieldValues[last]}
}

func place(p *index.Position) []*string {
	return append(p.Values[:len(p.Values):len(p.Values)], &p.Ref)
}

// base64Decode takes both alphabets, with padding or without, as JavaScript's does.
func base64Decode(text string) ([]byte, error) {
	raw := make([]byte, 0, len(text))
	for i := range len(text) {
		switch c := text[i]; c {
		case '=':
		case '-':
			raw = append(raw, '+')
		case '_':
			raw = append(raw, '/')
		default:
			raw = append(raw, c)
		}
	}
	return base64.RawStdEncoding.DecodeString(string(raw))
}

// number writes a number as JavaScript does: 3.0 is 3.
func number(n json.Number) string {
	f, err := n.Float64()
	if err != nil {
		return n.String()
	}
	if i := int64(f); float64(i) == f && i > -1e15 && i < 1e15 {
		return strconv.FormatInt(i, 10)
	}
	text, err := json.Marshal(f)
	if err != nil {
		return n.String()
	}
	return string(text)
}
