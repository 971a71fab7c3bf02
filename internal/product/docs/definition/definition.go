package definition

import (
	"strings"
	"unicode/utf8"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Formats.
const (
	OpenAPI  = "openapi"
	AsyncAPI = "asyncapi"
	GraphQL  = "graphql"
	Protobuf = "protobuf"
	Text     = "text"
)

// Bounds of what is read.
const (
	MaxBytes      = 10 << 20
	maxDepth      = 12     // of types within types
	maxFields     = 50_000 // of a definition
	maxOperations = 5000
	maxTypes      = 10_000
	maxProblems   = 50
)

// Definition is an API.
type Definition struct {
	Format      string
	Version     string // of the format, such as 3.1.0
	Title       string
	Release     string // of the API, as it says itself
	Description string
	Servers     []string
	Operations  []Operation
	Types       []Type
	Problems    []string // what of it could not be read
}

// Operation is something that can be done: a request, a message on a channel, a query, a call.
type Operation struct {
	ID          string // the same over all versions: GET /pets, Query.pets, Store.List
	Group       string // a tag, a service, a channel
	Verb        string // GET, send, query, rpc
	Name        string // a path, a channel, a field, a method
	Summary     string
	Description string
	Deprecated  bool
	Security    []Needs // one of which a client must have; none when everybody may
	Inputs      []Field
	Outputs     []Field
}

// Field is a value and its place: a parameter, a body, an answer, a property.
type Field struct {
	Name        string
	In          string // path, query, header, body, argument, oneof NAME, …
	Type        string // for people: "array of Pet"
	Refs        []string
	Required    bool
	Deprecated  bool
	Number      int    // protobuf's
	JSON        string // its name in JSON, where protobuf is told another one
	Limits      Limits
	Default     string
	Example     string
	Description string
	Values      []string // the only ones that it may have
	Fields      []Field  // of a type without a name

	shape               []alternative // of JSON Schema and GraphQL: what Type says
	readOnly, writeOnly bool
}

// Type is one that has a name.
type Type struct {
	Name        string
	Kind        string // object, input, interface, enum, union, scalar, message
	Type        string // of one that is no object
	Refs        []string
	Description string
	Deprecated  bool
	Limits      Limits
	Values      []string
	Numbers     []int    // of the values; protobuf's
	Implements  []string // interfaces
	Fields      []Field

	shape    []alternative
	reserved reserved
}

// Parse reads a definition. kind is what its entity says of it (spec.type); a kind that is unknown is found by the text. What is
// no definition of its format is fault.Invalid, with what is wrong.
func Parse(kind, text string) (Definition, error) {
	if len(text) > MaxBytes {
		return Definition{}, fault.Errorf(fault.TooLarge, "the definition has %d bytes; at most %d MiB are read", len(text), MaxBytes>>20)
	}
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "\uFFFD")
	}
	switch format(kind, text) {
	case OpenAPI:
		return parseOpenAPI(text)
	case AsyncAPI:
		return parseAsyncAPI(text)
	case GraphQL:
		return parseGraphQL(text)
	case Protobuf:
		return parseProtobuf(text)
	}
	return Definition{Format: Text}, nil
}

func format(kind, text string) string {
	switch strings.ToLower(kind) {
	case "openapi", "swagger":
		return OpenAPI
	case "asyncapi":
		return AsyncAPI
	case "graphql":
		return GraphQL
	case "grpc", "protobuf", "proto":
		return Protobuf
	}
	for line := range strings.Lines(text[:min(len(text), 16<<10)]) {
		line = strings.Trim(strings.TrimSpace(line), `"'{`)
		switch {
		case strings.HasPrefix(line, "openapi"), strings.HasPrefix(line, "swagger"):
			return OpenAPI
		case strings.HasPrefix(line, "asyncapi"):
			return AsyncAPI
		case strings.HasPrefix(line, "syntax =") || strings.HasPrefix(line, "syntax=") || strings.HasPrefix(line, "edition ="):
			return Protobuf
		case strings.HasPrefix(line, "type Query") || strings.HasPrefix(line, "schema {"):
			return GraphQL
		}
	}
	return Text
}

// bounds counts what a definition has, over all its parts.
type bounds struct {
	d      *Definition
	fields int
	told   map[string]bool
}

func (b *bounds) problem(message string) {
	if b.told == nil {
		b.told = map[string]bool{}
	}
	if !b.told[message] && len(b.d.Problems) < maxProblems {
		b.told[message] = true
		b.d.Problems = append(b.d.Problems, message)
	}
}

// field tells whether there is room for another one.
func (b *bounds) field() bool {
	if b.fields++; b.fields > maxFields {
		b.problem("it has more than 50000 fields; the others are left out")
		return false
	}
	return true
}

func (b *bounds) operation(o Operation) {
	if len(b.d.Operations) >= maxOperations {
		b.problem("it has more than 5000 operations; the others are left out")
		return
	}
	b.d.Operations = append(b.d.Operations, o)
}

func (b *bounds) named(t Type) {
	if len(b.d.Types) >= maxTypes {
		b.problem("it has more than 10000 types; the others are left out")
		return
	}
	b.d.Types = append(b.d.Types, t)
}
