package proposal

import (
	"strings"
)

// written is one line of what somebody wrote, and where it stands in it.
type written struct {
	text string
	code bool   // in a block of code, or one of its fences
	info string // what the fence says of the block that the line is in
	edge bool   // a fence
	mute bool   // quoted, or in a comment of HTML
}

// linesOf reads the lines of a text in Markdown as far as it matters here: which are code, and which are quoted.
func linesOf(text string) []written {
	var out []written
	fence, info := "", "" // of the block that is open
	hidden := false
	for line := range strings.SplitSeq(strings.ReplaceAll(text, "\r\n", "\n"), "\n") {
		trimmed := strings.TrimLeft(line, " ")
		shallow := len(line)-len(trimmed) <= 3
		if fence != "" {
			run := trimmed[:len(trimmed)-len(strings.TrimLeft(trimmed, fence[:1]))]
			if shallow && len(run) >= len(fence) && strings.TrimSpace(trimmed[len(run):]) == "" {
				out = append(out, written{text: line, code: true, info: info, edge: true})
				fence = ""
				continue
			}
			out = append(out, written{text: line, code: true, info: info})
			continue
		}
		if hidden {
			hidden = !strings.Contains(line, "-->")
			out = append(out, written{text: line, mute: true})
			continue
		}
		if opened := fenceOf(trimmed); shallow && opened != "" {
			fence, info = opened, strings.TrimSpace(trimmed[len(opened):])
			out = append(out, written{text: line, code: true, info: info, edge: true})
			continue
		}
		if begins := strings.LastIndex(line, "<!--"); begins >= 0 {
			hidden = !strings.Contains(line[begins:], "-->")
		}
		out = append(out, written{text: line, mute: shallow && strings.HasPrefix(trimmed, ">")})
	}
	return out
}

// fenceOf gives the marks that open a block of code; "" when a line opens none.
func fenceOf(line string) string {
	for _, mark := range []string{"`", "~"} {
		run := line[:len(line)-len(strings.TrimLeft(line, mark))]
		if len(run) >= 3 && (mark == "~" || !strings.Contains(line[len(run):], "`")) {
			return run
		}
	}
	return ""
}

// suggestions gives what the blocks of code marked suggestion hold, each line with its end.
func suggestions(text string) (out []string) {
	open := false
	for _, l := range linesOf(text) {
		switch {
		case !l.code || l.info != "suggestion":
		case l.edge && !open:
			out, open = append(out, ""), true
		case l.edge:
			open = false
		default:
			out[len(out)-1] += l.text + "\n"
		}
	}
	return out
}
