package architecture

import (
	"os"
	"path/filepath"
	"testing"
)

// nouns names the things of the product rooms that are not called as their room is.
var nouns = map[string]string{"delivery": "application", "insight": "scorecard"}

// TestProductRoomsAreBuiltAlike holds every product room to the same files, so that whoever knows one finds their way in
// all.
func TestProductRoomsAreBuiltAlike(t *testing.T) {
	t.Parallel()
	const products = "../../internal/product"
	rooms, err := os.ReadDir(products)
	if err != nil || len(rooms) < 5 {
		t.Fatalf("%d product rooms, %v", len(rooms), err)
	}
	for _, room := range rooms {
		noun := nouns[room.Name()]
		if noun == "" {
			noun = room.Name()
		}
		for _, file := range []string{"doc.go", noun + ".go", "service.go", "store.go", "reconcile.go", "kind.go", "testdata"} {
			info, err := os.Stat(filepath.Join(products, room.Name(), file))
			if err != nil || info.IsDir() != (file == "testdata") {
				t.Errorf("the room %s lacks %s", room.Name(), file)
			}
		}
	}
}
