package workflow

import (
	"fmt"
	"path"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
)

// resultFile is where a step's standard output is kept when something asks for it, relative to /work.
const resultFile = stagingDir + "/result"

// launcher writes the shell script that runs a command when more is wanted than a worker does by itself: standard
// output kept beside the log, or artifacts outside the workspace. Its words come before and after the command's own
// only when something goes wrong, and it ends as the command did.
type launcher struct {
	capture bool
	in, out [][2]string // from, to
}

// script gives the script, which takes the command as its arguments; "" when none is needed.
func (l launcher) script() string {
	if !l.capture && len(l.in)+len(l.out) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("set -u\n")
	b.WriteString("trap : TERM INT # the command gets the signal itself, and its end is ours\n")
	for _, c := range l.in {
		fmt.Fprintf(&b, "mkdir -p %s && cp -R %s %s || { echo \"no place for the artifact at \"%s >&2; exit 125; }\n",
			quote(path.Dir(c[1])), quote(c[0]), quote(c[1]), quote(c[1]))
	}
	b.WriteString("code=0\n")
	if l.capture {
		pipe := path.Join(execute.WorkDir, stagingDir, "pipe")
		fmt.Fprintf(&b, "mkfifo %s || exit 125\n", quote(pipe))
		fmt.Fprintf(&b, "tee %s <%s & tee=$!\n", quote(path.Join(execute.WorkDir, resultFile)), quote(pipe))
		fmt.Fprintf(&b, "\"$@\" >%s || code=$?\n", quote(pipe))
		b.WriteString("wait $tee\n")
	} else {
		b.WriteString("\"$@\" || code=$?\n")
	}
	for _, c := range l.out {
		fmt.Fprintf(&b, "if [ -e %s ]; then mkdir -p %s && cp -R %s %s || exit 125; fi\n",
			quote(c[0]), quote(path.Dir(c[1])), quote(c[0]), quote(c[1]))
	}
	b.WriteString("exit $code\n")
	return b.String()
}

// quote makes text one word of a shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
