package node

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	corev1 "k8s.io/api/core/v1"
	"pgregory.net/rapid"
)

func TestExpand(t *testing.T) {
	t.Parallel()
	env := map[string]string{"A": "1", "B": "two"}
	for in, want := range map[string]string{
		"": "", "plain": "plain", "$(A)": "1", "x$(A)y$(B)z": "x1ytwoz", "$$(A)": "$(A)", "$(C)": "$(C)", "$(A": "$(A", "$": "$", "a$b": "a$b", "$$$(A)": "$1",
	} {
		if got := expand(in, env); got != want {
			t.Errorf("expand(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	yes := true
	from := values(func(kind, name string) (map[string][]byte, bool) {
		return map[string][]byte{"k": []byte(kind + "/" + name)}, name != "none"
	})
	ref := corev1.LocalObjectReference{Name: "a"}
	k := &corev1.Container{
		EnvFrom: []corev1.EnvFromSource{{Prefix: "P_", ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: ref}}, {SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "none"}, Optional: &yes}}},
		Env: []corev1.EnvVar{
			{Name: "A", Value: "a"}, {Name: "B", Value: "$(A)b$(P_k)"},
			{Name: "S", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: ref, Key: "k"}}},
			{Name: "O", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: ref, Key: "missing", Optional: &yes}}},
			{Name: "N", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.labels['app']"}}},
			{Name: "IMAGE", Value: "over"},
		},
	}
	env, err := environment(k, ImageConfig{Env: []string{"IMAGE=own", "PATH=/bin", "broken"}}, podFacts{name: "web-1", labels: map[string]string{"app": "web"}}, from)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"A": "a", "B": "abConfigMap/a", "S": "Secret/a", "N": "web", "IMAGE": "over", "PATH": "/bin", "HOSTNAME": "web-1", "HTTP_PROXY": "http://127.0.0.1:15001"} {
		if env[name] != want {
			t.Errorf("%s = %q, want %q", name, env[name], want)
		}
	}
	if _, ok := env["O"]; ok {
		t.Error("a missing optional value is there")
	}
	k.Env = []corev1.EnvVar{{Name: "X", ValueFrom: &corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{LocalObjectReference: ref, Key: "missing"}}}}
	if _, err := environment(k, ImageConfig{}, podFacts{}, from); err == nil || err.Error() != `env X: ConfigMap "a" has no key "missing"` {
		t.Errorf("a missing value: %v", err)
	}
}

func TestCommand(t *testing.T) {
	t.Parallel()
	img := image{root: t.TempDir(), config: ImageConfig{Entrypoint: []string{"/app"}, Cmd: []string{"serve"}}}
	for name, c := range map[string]struct {
		k    corev1.Container
		want string
	}{
		"the image's own":   {corev1.Container{}, "/app serve"},
		"other arguments":   {corev1.Container{Args: []string{"check", "$(A)"}}, "/app check 1"},
		"another program":   {corev1.Container{Command: []string{"/other"}}, "/other"},
		"both":              {corev1.Container{Command: []string{"/other", "-v"}, Args: []string{"x"}}, "/other -v x"},
		"a relative one":    {corev1.Container{Command: []string{"./app"}}, "./app"},
		"one from the PATH": {corev1.Container{Command: []string{"nowhere"}}, "nowhere"},
	} {
		got, err := img.command(&c.k, map[string]string{"A": "1", "PATH": "/bin"})
		if err != nil || strings.Join(got, " ") != c.want {
			t.Errorf("%s: %q, %v; want %q", name, got, err, c.want)
		}
	}
	if _, err := (image{}).command(&corev1.Container{Image: "scratch"}, nil); err == nil {
		t.Error("an image without a program is run")
	}
}

func TestLogFileKeepsTheEnd(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "log")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		l := newLogFile(filepath.Join(dir, "a"), 0)
		l.segment = int64(rapid.IntRange(1, 40).Draw(t, "segment"))
		var all []byte
		for range rapid.IntRange(0, 20).Draw(t, "writes") {
			p := []byte(rapid.StringMatching(`[a-z\n]{0,60}`).Draw(t, "p"))
			n, err := l.Write(p)
			if err != nil || n != len(p) {
				t.Fatalf("write = %d, %v", n, err)
			}
			all = append(all, p...)
		}
		files, err := os.ReadDir(dir)
		if err != nil || len(files) > l.segments {
			t.Fatalf("%d files, %v", len(files), err)
		}
		from := rapid.Int64Range(0, int64(len(all))).Draw(t, "from")
		r := &logReader{ctx: context.Background(), stop: func() {}, log: l, offset: from}
		got, err := io.ReadAll(r)
		if err != nil || !bytes.HasSuffix(all[from:], got) || r.Offset() != int64(len(all)) {
			t.Fatalf("read from %d = %q of %q, %v, offset %d", from, got, all, err, r.Offset())
		}
		if kept := min(len(all), 3*int(l.segment)); len(got) < min(kept, len(all)-int(from)) {
			t.Fatalf("only %d bytes are kept of %d", len(got), len(all))
		}
		lines := rapid.IntRange(1, 5).Draw(t, "lines")
		at, err := l.tail(lines)
		if err != nil || bytes.Count(bytes.TrimSuffix(all[at:], []byte("\n")), []byte("\n")) >= lines {
			t.Fatalf("the last %d lines of %q are at %d, %v", lines, all, at, err)
		}
		if at > 0 && len(l.starts) > 0 && at > l.starts[0] && bytes.Count(bytes.TrimSuffix(all[at:], []byte("\n")), []byte("\n")) != lines-1 {
			t.Fatalf("not %d lines: %q of %q", lines, all[at:], all)
		}
	})
}

func TestFollowingALogEndsWithIt(t *testing.T) {
	t.Parallel()
	l := newLogFile(filepath.Join(t.TempDir(), "a"), 0)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r := &logReader{ctx: ctx, stop: cancel, log: l, follow: true}
	got := make(chan string)
	go func() {
		text, _ := io.ReadAll(r)
		got <- string(text)
	}()
	for _, part := range []string{"one ", "two"} {
		if _, err := l.Write([]byte(part)); err != nil {
			t.Fatal(err)
		}
	}
	l.close()
	if text := <-got; text != "one two" {
		t.Errorf("followed %q", text)
	}
	if _, err := l.Write([]byte("x")); err == nil {
		t.Error("a closed log takes more")
	}
}

func TestGateDrains(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var g gate
		if g.enter() {
			t.Fatal("the zero gate is open")
		}
		g.set(true)
		first, second := g.enter(), g.enter()
		if !first || !second || g.load() != 2 {
			t.Fatal("an open gate lets nobody in")
		}
		done := make(chan bool, 1)
		go func() { done <- g.drained(t.Context()) }()
		synctest.Wait()
		if g.enter() {
			t.Error("a draining gate lets somebody in")
		}
		g.leave()
		synctest.Wait()
		select {
		case <-done:
			t.Fatal("drained with one inside")
		default:
		}
		g.leave()
		if !<-done {
			t.Error("not drained with nobody inside")
		}
		g.set(true)
		g.enter()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if g.drained(ctx) {
			t.Error("drained with one inside when time is up")
		}
	})
}

func TestSealer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	one, err := openSealer(dir)
	if err != nil {
		t.Fatal(err)
	}
	sealed := one.seal("a", "hunter2")
	again, err := openSealer(dir)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := again.open("a", sealed); err != nil || text != "hunter2" || strings.Contains(sealed, "hunter2") {
		t.Errorf("opened %q, %v", text, err)
	}
	if _, err := again.open("b", sealed); err == nil {
		t.Error("a value opens under another name")
	}
	other, err := openSealer(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.open("a", sealed); err == nil {
		t.Error("a value opens with another key")
	}
	if info, err := os.Stat(filepath.Join(dir, "secret.key")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key file: %v, %v", info.Mode(), err)
	}
}

func TestRoutesFindTheLongestPath(t *testing.T) {
	t.Parallel()
	r := &routes{hosts: map[string][]route{
		"a.test":   {{path: "/exact", exact: true}, {path: "/api/v1"}, {path: "/api"}, {path: "/"}},
		"*.b.test": {{path: "/only"}},
	}}
	for in, want := range map[string]string{
		"a.test /": "/", "a.test /api": "/api", "a.test /api/": "/api", "a.test /apis": "/", "a.test /api/v1/x": "/api/v1", "a.test /exact": "/exact", "a.test /exact/": "/",
		"x.b.test /only/y": "/only", "x.b.test /": "", "y.x.b.test /only": "", "b.test /only": "", "c.test /": "",
	} {
		host, path, _ := strings.Cut(in, " ")
		if got, _, _ := r.ingress(host, path); got.path != want {
			t.Errorf("%s goes to %q, want %q", in, got.path, want)
		}
	}
}

func TestTheLastLineOfALogIsTheLast(t *testing.T) {
	t.Parallel()
	l := newLogFile(filepath.Join(t.TempDir(), "a"), 1<<20)
	t.Cleanup(l.close)
	for _, c := range [][2]string{
		{"", ""}, {"first\n", "first"}, {strings.Repeat("x", 3000) + "\n" + strings.Repeat("y", 3000) + "\nlast words\n\n", "last words"}, {"and without an end", "and without an end"},
	} {
		if _, err := l.Write([]byte(c[0])); err != nil {
			t.Fatal(err)
		}
		if got := l.lastLine(); got != c[1] {
			t.Errorf("the last line is %q, want %q", got, c[1])
		}
	}
}
