//go:build !portal

package web

import "io/fs"

func portal() (fs.FS, bool) { return nil, false }
