package worker

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func packed(t *testing.T, entries ...tar.Header) []byte {
	t.Helper()
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	archive := tar.NewWriter(zip)
	for _, h := range entries {
		if h.Typeflag == 0 {
			h.Typeflag = tar.TypeReg
		}
		h.Mode = 0o644
		if err := archive.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.Write(make([]byte, h.Size)); err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestAnArchiveThatCouldHurtIsRefusedBeforeItIsUnpacked holds CheckArchive to each thing that it refuses.
func TestAnArchiveThatCouldHurtIsRefusedBeforeItIsUnpacked(t *testing.T) {
	t.Parallel()
	most := Bounds{Bytes: 1 << 20, Entries: 5, Depth: 4}
	many := make([]tar.Header, 6)
	for i := range many {
		many[i].Name = fmt.Sprint(i)
	}
	whole := packed(t, tar.Header{Name: "main.tf", Size: 100})
	var after bytes.Buffer // a bomb behind the end of the tar
	zip := gzip.NewWriter(&after)
	if _, err := zip.Write(make([]byte, 8<<20)); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		archive []byte
		kind    fault.Kind
		says    string
	}{
		"no gzip":       {[]byte("main.tf"), fault.Invalid, "not a tar.gz"},
		"half":          {whole[:len(whole)-12], fault.Invalid, "read the"},
		"parent":        {packed(t, tar.Header{Name: "a/../../b"}), fault.Invalid, "outside"},
		"absolute":      {packed(t, tar.Header{Name: "/etc/passwd"}), fault.Invalid, "outside"},
		"backslash":     {packed(t, tar.Header{Name: `..\b`}), fault.Invalid, "outside"},
		"link out":      {packed(t, tar.Header{Name: "a/l", Typeflag: tar.TypeSymlink, Linkname: "../../x"}), fault.Invalid, "leads out"},
		"absolute link": {packed(t, tar.Header{Name: "l", Typeflag: tar.TypeSymlink, Linkname: "/etc"}), fault.Invalid, "leads out"},
		"hard link out": {packed(t, tar.Header{Name: "l", Typeflag: tar.TypeLink, Linkname: "../x"}), fault.Invalid, "outside"},
		"device":        {packed(t, tar.Header{Name: "d", Typeflag: tar.TypeBlock}), fault.Invalid, "neither a file"},
		"pipe":          {packed(t, tar.Header{Name: "d", Typeflag: tar.TypeFifo}), fault.Invalid, "neither a file"},
		"entries":       {packed(t, many...), fault.TooLarge, "more than 5 entries"},
		"depth":         {packed(t, tar.Header{Name: strings.Repeat("d/", 5) + "f"}), fault.TooLarge, "nests too deep"},
		"bomb":          {packed(t, tar.Header{Name: "zeros", Size: 2 << 20}), fault.TooLarge, "too large when unpacked"},
		"bomb in parts": {packed(t, tar.Header{Name: "a", Size: 900 << 10}, tar.Header{Name: "b", Size: 900 << 10}), fault.TooLarge, "too large when unpacked"},
		"bomb after":    {after.Bytes(), fault.TooLarge, "too large when unpacked"},
	} {
		_, err := CheckArchive(bytes.NewReader(c.archive), most)
		if !fault.Is(err, c.kind) || !strings.Contains(fault.Message(err), c.says) {
			t.Errorf("%s: %v; want %v with %q", name, err, c.kind, c.says)
		}
	}
	got, err := CheckArchive(bytes.NewReader(packed(t, tar.Header{Name: "./", Typeflag: tar.TypeDir}, tar.Header{Name: "./main.tf", Size: 100},
		tar.Header{Name: "sub/l", Typeflag: tar.TypeSymlink, Linkname: "../main.tf"})), most)
	if err != nil || got != (Contents{Bytes: 100, Entries: 3}) {
		t.Errorf("a good archive gives %+v, %v", got, err)
	}
}
