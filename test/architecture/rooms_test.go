package architecture

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestEveryRoomSaysWhatItIs says that each room has a doc.go, and a line in the tree of docs/architecture.md.
func TestEveryRoomSaysWhatItIs(t *testing.T) {
	t.Parallel()
	tree, err := os.ReadFile("../../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	floors, err := filepath.Glob("../../internal/*/*")
	if err != nil {
		t.Fatal(err)
	}
	rooms := []string{"../../internal/server"}
	for _, path := range floors {
		if info, err := os.Stat(path); err == nil && info.IsDir() && filepath.Base(filepath.Dir(path)) != "server" {
			rooms = append(rooms, path)
		}
	}
	if len(rooms) < 30 {
		t.Fatalf("found %d rooms", len(rooms))
	}
	for _, room := range rooms {
		name := filepath.Base(room)
		text, err := os.ReadFile(filepath.Join(room, "doc.go"))
		if err != nil || !strings.HasPrefix(string(text), "// Package "+name+" ") {
			t.Errorf("%s has no doc.go that says what the room is: %v", room, err)
		}
		if !strings.Contains(string(tree), "  "+name+"/ ") {
			t.Errorf("docs/architecture.md does not name the room %s", name)
		}
	}
}

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
