package document

import (
	"bytes"
	"encoding/json"
	"testing"

	"pgregory.net/rapid"
)

// The canonical form is that of encoding/json: what was stored once keeps its etag.
func TestTheCanonicalFormIsThatOfTheLibrary(t *testing.T) {
	t.Parallel()
	var value func(depth int) *rapid.Generator[any]
	text := rapid.OneOf(rapid.String(), rapid.StringOfN(rapid.RuneFrom([]rune{0, '\b', '\f', '\n', '\r', '\t', 0x1f, '"', '\\', '<', '>', '&', 0x7f, 0x85, 0x2028, 0x2029, 0xfffd, 'é', '😀'}), 0, 8, -1),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 8), func(b []byte) string { return string(b) }))
	value = func(depth int) *rapid.Generator[any] {
		some := []*rapid.Generator[any]{text.AsAny(), rapid.Int64().AsAny(), rapid.Uint64().AsAny(), rapid.Bool().AsAny(), rapid.Just[any](nil), rapid.Float64Range(-1e30, 1e30).AsAny(),
			rapid.Just[any](map[string]any(nil)), rapid.Just[any]([]any(nil)), rapid.SliceOfN(text, 0, 2).AsAny()}
		if depth > 0 {
			some = append(some, rapid.SliceOfN(value(depth-1), 0, 4).AsAny(), rapid.MapOfN(text, value(depth-1), 0, 30).AsAny())
		}
		return rapid.OneOf(some...)
	}
	rapid.Check(t, func(t *rapid.T) {
		v := value(3).Draw(t, "value")
		var want bytes.Buffer
		enc := json.NewEncoder(&want)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(v); err != nil {
			t.Fatal(err)
		}
		if got := canonical(v); !bytes.Equal(got, bytes.TrimSuffix(want.Bytes(), []byte("\n"))) {
			t.Fatalf("got  %s\nwant %s", got, want.Bytes())
		}
	})
}
