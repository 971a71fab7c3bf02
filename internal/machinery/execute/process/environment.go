package process

import (
	"path/filepath"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute/group"
)

// marker is the variable by which a step that is not isolated is found again. Its value names server and step.
const marker = "ROADBED_SANDBOX"

// environment gives all of a step's variables.
func environment(s execute.Spec) map[string]string {
	env := map[string]string{
		"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME": "/tmp", "TMPDIR": "/tmp", "LANG": "C.UTF-8",
	}
	for name, value := range s.Env {
		env[name] = value
	}
	return env
}

// onHost gives the arguments, the folder and the variables of a step that sees the host's files: paths of the sandbox,
// alone or in lists, become those that they stand for.
func onHost(q *group.Request, dir string, env map[string]string) ([]string, string, map[string]string) {
	places := map[string]string{execute.WorkDir: q.Workspace, "/tmp": q.Tmp}
	for _, m := range q.Mounts {
		places[m.Target] = m.Source
	}
	translate := func(path string) string {
		for p := path; p != "/" && p != "." && p != ""; p = filepath.Dir(p) {
			if source, ok := places[p]; ok {
				return source + strings.TrimPrefix(path, p)
			}
		}
		return path
	}
	// The folder of a lent program has no place of its own: the program has.
	searched := func(folder string) string {
		for _, m := range q.Mounts {
			if filepath.Dir(m.Target) == folder && filepath.Base(m.Target) == filepath.Base(m.Source) {
				return filepath.Dir(m.Source)
			}
		}
		return translate(folder)
	}
	list := func(value string, place func(path string) string) string {
		parts := strings.Split(value, ":")
		for i, part := range parts {
			if strings.HasPrefix(part, "/") && filepath.Clean(part) == part {
				parts[i] = place(part)
			}
		}
		return strings.Join(parts, ":")
	}
	argv := make([]string, len(q.Argv))
	for i, arg := range q.Argv {
		argv[i] = list(arg, translate)
	}
	translated := map[string]string{}
	for name, value := range env {
		place := translate
		if name == "PATH" {
			place = searched
		}
		translated[name] = list(value, place)
	}
	return argv, translate(dir), translated
}
