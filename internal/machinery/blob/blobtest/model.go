package blobtest

import (
	"bytes"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/roadbed-dev/roadbed/internal/machinery/blob"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// streamModel compares a stream with a byte slice under any order of calls.
func streamModel(t *testing.T, s blob.Store) {
	ctx := t.Context()
	next := 0
	rapid.Check(t, func(t *rapid.T) {
		next++
		stream := fmt.Sprintf("model/%d", next)
		var model []byte
		sealed := false
		t.Repeat(map[string]func(*rapid.T){
			"append": func(t *rapid.T) {
				offset := rapid.IntRange(0, len(model)+2).Draw(t, "offset")
				fresh := rapid.SliceOfN(rapid.Byte(), 0, 5).Draw(t, "fresh")
				var p []byte
				if offset <= len(model) {
					p = append(p, model[offset:]...)
				}
				p = append(p, fresh...)
				size, err := s.Append(ctx, stream, int64(offset), p)
				refuse := sealed && offset+len(p) > len(model) || !sealed && offset > len(model)
				if refuse != fault.Is(err, fault.Conflict) || !refuse && err != nil {
					t.Fatalf("append: %v", err)
				}
				if !refuse && !sealed && offset+len(p) > len(model) {
					model = append(model, fresh...)
				}
				if size != int64(len(model)) {
					t.Fatalf("size %d, want %d", size, len(model))
				}
			},
			"seal": func(t *rapid.T) {
				if err := s.Seal(ctx, stream); err != nil {
					t.Fatal(err)
				}
				sealed = true
			},
			"": func(t *rapid.T) {
				buffer := make([]byte, len(model)+1)
				n, size, isSealed, err := s.ReadAt(ctx, stream, 0, buffer)
				if err != nil || !bytes.Equal(buffer[:n], model) || size != int64(len(model)) || isSealed != sealed {
					t.Fatalf("read %q, %d, %v, %v; want %q", buffer[:n], size, isSealed, err, model)
				}
			},
		})
	})
}
