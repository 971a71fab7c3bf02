package git

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"unicode/utf8"

	machinery "github.com/roadbed-dev/roadbed/internal/machinery/git"
)

// sniffed is how much of a file tells whether it is text, in bytes.
const sniffed = 8000

// ServeFile sends a file of a repository as it comes, with headers that let no browser run it. hash is that of its content.
// attach has a browser keep it rather than show it. An error means that the answer is not whole.
func ServeFile(w http.ResponseWriter, r *http.Request, file, hash string, size int64, content io.Reader, attach bool) error {
	tag := strconv.Quote(hash)
	in := bufio.NewReaderSize(content, sniffed)
	head, err := in.Peek(sniffed)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
		return err
	}
	safe(w.Header(), file, head, attach)
	w.Header().Set("ETag", tag)
	if strings.Contains(r.Header.Get("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
	if r.Method == http.MethodHead {
		return nil
	}
	paced, done := machinery.Paced(w)
	defer done()
	_, err = io.Copy(paced, in)
	return err
}

// safe sets the headers of a file that begins with head. Whatever the file says, it runs nothing and loads nothing in the
// name of this server.
func safe(header http.Header, file string, head []byte, attach bool) {
	kind := contentType(file, head)
	header.Set("Content-Type", kind)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Cache-Control", "private, no-cache")
	header.Set("Vary", "Authorization, Cookie")
	if attach || kind == "application/octet-stream" {
		header.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": path.Base(file)}))
	}
}

// images are what a browser shows and can't run.
var images = map[string]string{
	".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp",
	".avif": "image/avif", ".ico": "image/x-icon", ".svg": "image/svg+xml", // an image of SVG is held by the sandbox
}

// contentType gives a type that a browser can't be made to run: text, an image, or bytes.
func contentType(file string, content []byte) string {
	if t := images[strings.ToLower(path.Ext(file))]; t != "" {
		return t
	}
	if isText(content) {
		return "text/plain; charset=utf-8"
	}
	return "application/octet-stream"
}

// isText tells whether a file that begins with head is text; its last character may be cut.
func isText(head []byte) bool {
	for i := 0; i < utf8.UTFMax && len(head) > 0 && !utf8.Valid(head); i++ {
		if len(head) < sniffed-utf8.UTFMax {
			return false
		}
		head = head[:len(head)-1]
	}
	return utf8.Valid(head) && !bytes.ContainsRune(head, 0)
}
