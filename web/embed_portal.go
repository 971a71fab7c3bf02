//go:build portal

package web

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var dist embed.FS

func portal() (fs.FS, bool) {
	files, err := fs.Sub(dist, "dist")
	return files, err == nil
}
