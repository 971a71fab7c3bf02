package policy

import (
	"embed"

	"github.com/roadbed-dev/roadbed/internal/core/document"
)

//go:embed shipped/*.yaml
var shipped embed.FS

// Shipped gives the policies that the first set-up applies in the root space.
func Shipped() []document.Document {
	entries, err := shipped.ReadDir("shipped")
	if err != nil {
		panic(err) // the folder is embedded
	}
	var all []document.Document
	for _, e := range entries {
		data, err := shipped.ReadFile("shipped/" + e.Name())
		if err != nil {
			panic(err) // the file is embedded
		}
		docs, err := document.Parse("shipped/"+e.Name(), data, document.Limits{})
		if err != nil {
			panic(err) // a test reads them all
		}
		all = append(all, docs...)
	}
	return all
}
