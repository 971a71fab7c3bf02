package policy

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"io"
	"strings"
	"sync"
)

const (
	packed     = "gzip:"   // begins what is packed; no JSON begins so
	mostPacked = 128 << 10 // bytes of input: what is larger does not become as small as a row takes
)

// packers are writers of gzip, each of which takes longer to make than most inputs to pack.
var packers = sync.Pool{New: func() any {
	w, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // the level is one
	return w
}}

// pack gives an input as short text.
func pack(raw []byte) (string, error) {
	var text bytes.Buffer
	text.WriteString(packed)
	inner := base64.NewEncoder(base64.RawStdEncoding, &text)
	out := packers.Get().(*gzip.Writer)
	defer packers.Put(out)
	out.Reset(inner)
	if _, err := out.Write(raw); err != nil {
		return "", err
	}
	if err := out.Close(); err != nil {
		return "", err
	}
	if err := inner.Close(); err != nil {
		return "", err
	}
	return text.String(), nil
}

// unpack gives an input as it was before pack, or what was not packed.
func unpack(kept string) ([]byte, error) {
	text, is := strings.CutPrefix(kept, packed)
	if !is {
		return []byte(kept), nil
	}
	in, err := gzip.NewReader(base64.NewDecoder(base64.RawStdEncoding, strings.NewReader(text)))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(in, mostPacked))
}
