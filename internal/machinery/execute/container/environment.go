package container

import (
	"slices"
	"strings"
)

// environment gives all of a command's variables, sorted: its own, before those of its image, before ours. Both PATHs are
// looked at, the command's first: the platform puts tools there.
func environment(own map[string]string, image []string) []string {
	env := map[string]string{
		"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME": "/tmp", "TMPDIR": "/tmp", "LANG": "C.UTF-8",
	}
	for _, line := range image {
		if name, value, ok := strings.Cut(line, "="); ok && name != "" {
			env[name] = value
		}
	}
	places := env["PATH"]
	for name, value := range own {
		env[name] = value
	}
	env["PATH"] = together(env["PATH"], places)
	list := make([]string, 0, len(env))
	for name, value := range env {
		list = append(list, name+"="+value)
	}
	slices.Sort(list)
	return list
}

// together adds to a PATH the places of another that it lacks. Those of the image go where the usual ones begin, since
// what an image adds comes before these.
func together(path, image string) string {
	have := strings.Split(path, ":")
	var lacking []string
	for place := range strings.SplitSeq(image, ":") {
		if place != "" && !slices.Contains(have, place) {
			lacking = append(lacking, place)
		}
	}
	at := len(have)
	if i := slices.Index(have, "/usr/local/sbin"); i >= 0 {
		at = i
	}
	return strings.Join(slices.Insert(have, at, lacking...), ":")
}
