package sandbox

import (
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

func TestFramesComeBackAsTheyWere(t *testing.T) {
	t.Parallel()
	texts := rapid.SliceOf(rapid.String())
	rapid.Check(t, func(t *rapid.T) {
		text, number := rapid.String(), rapid.Int()
		c := Config{
			Workspace: text.Draw(t, "workspace"), Tmp: text.Draw(t, "tmp"), Argv: texts.Draw(t, "argv"), Env: texts.Draw(t, "env"),
			Dir: text.Draw(t, "dir"), Cgroups: number.Draw(t, "cgroups"),
			Mounts: rapid.SliceOf(rapid.Custom(func(t *rapid.T) Mount {
				return Mount{text.Draw(t, "source"), text.Draw(t, "target"), rapid.Bool().Draw(t, "ro")}
			})).Draw(t, "mounts"),
			Ports: rapid.SliceOf(number).Draw(t, "ports"),
			Rlimits: rapid.SliceOf(rapid.Custom(func(t *rapid.T) Rlimit {
				return Rlimit{number.Draw(t, "resource"), rapid.Uint64().Draw(t, "value")}
			})).Draw(t, "rlimits"),
		}
		got, err := DecodeConfig(c.Encode())
		if err != nil || !reflect.DeepEqual(normal(got), normal(c)) {
			t.Fatalf("got %+v, %v of %+v", got, err, c)
		}
		b := Base{Isolated: rapid.Bool().Draw(t, "isolated"), Held: rapid.Bool().Draw(t, "held"), Network: rapid.Bool().Draw(t, "network"), UID: number.Draw(t, "uid"), Root: text.Draw(t, "root")}
		if got, err := DecodeBase(b.Encode()); err != nil || got != b {
			t.Fatalf("got %+v, %v of %+v", got, err, b)
		}
		f := Frame{Kind: rapid.Byte().Draw(t, "kind"), ID: number.Draw(t, "id"), Code: number.Draw(t, "code"), Short: number.Draw(t, "short"), MaxRSS: rapid.Int64().Draw(t, "rss"), Text: text.Draw(t, "text")}
		if got, err := DecodeFrame(f.Encode()); err != nil || got != f {
			t.Fatalf("got %+v, %v of %+v", got, err, f)
		}
	})
}

// normal makes empty and missing lists the same.
func normal(c Config) Config {
	v := reflect.ValueOf(&c).Elem()
	for i := range v.NumField() {
		if f := v.Field(i); f.Kind() == reflect.Slice && f.Len() == 0 {
			f.SetZero()
		}
	}
	return c
}

func FuzzDecode(f *testing.F) {
	f.Add(Config{Argv: []string{"a"}, Mounts: []Mount{{"a", "b", true}}}.Encode())
	f.Add(Frame{Kind: FrameExit, Text: "x"}.Encode())
	f.Add(Base{Root: "/r"}.Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := DecodeConfig(b); err == nil && len(c.Argv) > len(b) {
			t.Errorf("%d arguments of %d bytes", len(c.Argv), len(b))
		}
		_, _ = DecodeFrame(b)
		_, _ = DecodeBase(b)
	})
}
