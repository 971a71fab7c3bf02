package mirror

import (
	"context"
	"io"
	"os"

	"github.com/roadbed-dev/roadbed/internal/machinery/provider"
)

// Packages is what this room keeps, which is files and no rows; machinery/provider has the contract of each.
type Packages interface {
	Versions(ctx context.Context, n provider.Name) (map[string][]string, error)
	Archives(ctx context.Context, n provider.Name, version string) (map[string][]string, error)
	Open(ctx context.Context, p provider.Package) (*os.File, provider.Record, error)
	List() []Kept
	Add(p provider.Package, content io.Reader) (r provider.Record, fresh bool, err error)
	Remove(p provider.Package) error
	Hash(n provider.Name, version string) string
	Shared() string
	Tidy() (removed int)
}
