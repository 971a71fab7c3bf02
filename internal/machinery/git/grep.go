package git

import (
	"bufio"
	"context"
	"errors"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Bounds of a search.
const (
	grepText    = 500     // bytes of what is searched for
	grepFiles   = 200     // files that are given at once, at most
	grepLines   = 20      // matches of one file
	grepWidth   = 400     // bytes of a line that are given, around its first match
	grepLine    = 1 << 20 // bytes of a line that are looked at for what to show of it
	grepAll     = 5_000   // matches that are read, those of earlier parts included
	grepContext = 2       // lines above and below a match
)

// Search says what is looked for in the files of a commit.
type Search struct {
	Text  string
	Regex bool   // an extended regular expression; else the text as it is
	Case  bool   // upper and lower case differ
	Path  string // a folder, or a pattern such as *.go or services/**/main.tf; "" for all
	Skip  int    // files of earlier parts
	Files int    // at most 200
}

// Found is what was found in one file.
type Found struct {
	Path  string
	Lines []FoundLine
	More  bool // it has more matches than are given
}

// FoundLine is a line that matches, or one beside it.
type FoundLine struct {
	Line  int
	Text  string // a part of it, when it is long
	Match bool
	Marks [][2]int // where it matches, in characters of Text: from, to
	Cut   bool     // Text is a part of the line
}

// Results are what a search gave.
type Results struct {
	Files []Found
	More  bool   // there are files after these
	Cut   string // "time" or "matches": it ended before all was looked at; "" when not
}

func (s *Search) check() error {
	switch {
	case s.Text == "" || len(s.Text) > grepText || !utf8.ValidString(s.Text) || strings.ContainsAny(s.Text, "\x00\r\n"):
		return fault.Errorf(fault.Invalid, "look for one line of text, of 1 to %d bytes", grepText)
	case len(s.Path) > grepText || strings.ContainsFunc(s.Path, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return fault.Errorf(fault.Invalid, "%q is not a folder or a pattern of paths; write it like services or *.go", clip(s.Path))
	case slices.Contains(strings.Split(s.Path, "/"), "..") || strings.Count(s.Path, "*") > 16:
		return fault.Errorf(fault.Invalid, "%q is not a folder or a pattern of paths; write it like services or *.go", clip(s.Path))
	}
	if s.Files <= 0 || s.Files > grepFiles {
		s.Files = grepFiles
	}
	return nil
}

// paths gives the pathspecs of a search.
func (s Search) paths() []string {
	p := strings.Trim(strings.TrimPrefix(s.Path, "./"), "/")
	if p == "" {
		return nil
	}
	specs := []string{":(top,glob)" + p, ":(top,glob)" + p + "/**"}
	if !strings.Contains(p, "/") { // a name stands for that of any folder or file
		specs = append(specs, ":(top,glob)**/"+p, ":(top,glob)**/"+p+"/**")
	}
	return specs
}

// Grep looks for a text in the files of a commit, in the order of their paths; what is not text is left out. It ends after
// 15 s, and after so many matches, and says so. fault.Invalid for what is no regular expression.
func (g *Git) Grep(ctx context.Context, dir, commit string, s Search) (Results, error) {
	if err := revision(commit); err != nil {
		return Results{}, err
	}
	if err := s.check(); err != nil {
		return Results{}, err
	}
	leave, err := g.look(ctx)
	if err != nil {
		return Results{}, err
	}
	defer leave()
	args := []string{
		"grep", "-z", "-n", "-I", "--column", "--full-name", "--no-color", "--no-textconv", "--no-recurse-submodules",
		"-C" + strconv.Itoa(grepContext), "--max-count=" + strconv.Itoa(grepLines+1),
	}
	kind := "--fixed-strings"
	if s.Regex {
		kind = "--extended-regexp"
	}
	args = append(args, kind)
	if !s.Case {
		args = append(args, "--ignore-case")
	}
	args = append(args, "-e", s.Text, commit, "--")
	found := &finder{search: s, prefix: commit + ":", marks: s.marker()}
	limited, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	err = g.pipe(limited, call{dir: dir, time: lookTime, args: append(args, s.paths()...)}, found.read)
	switch {
	case err == nil, exitCode(err) == 1: // nothing was found
	case errors.Is(err, errEnough):
	case limited.Err() != nil && ctx.Err() == nil:
		found.cut = "time"
	case exitCode(err) == 128 && g.noCommit(ctx, dir, nil, commit):
		return Results{}, fault.Errorf(fault.NotFound, "the repository has no commit %s", commit)
	case exitCode(err) == 128 && s.Regex:
		return Results{}, fault.Errorf(fault.Invalid, "%q is not a regular expression: %s", clip(s.Text), complaintOf(err))
	default:
		return Results{}, fault.Wrap(err, "search in %s", commit)
	}
	return found.results(), nil
}

// complaintOf gives what git says against a regular expression.
func complaintOf(err error) string {
	var exit *exitError
	if !errors.As(err, &exit) {
		return ""
	}
	line := exit.stderr[strings.LastIndexByte(exit.stderr, '\n')+1:]
	line = strings.TrimPrefix(strings.TrimPrefix(line, "fatal: "), "command line, ")
	if i := strings.LastIndex(line, "': "); i >= 0 { // after the expression itself
		line = line[i+3:]
	}
	return clip(line)
}

// errEnough ends a search that has what it is asked for.
var errEnough = errors.New("enough")

// marker gives what tells where a line matches. It is Go's, whose expressions take time in proportion to the line; one
// that it does not know marks nothing.
func (s Search) marker() *regexp.Regexp {
	text := s.Text
	if !s.Regex {
		text = regexp.QuoteMeta(text)
	}
	if !s.Case {
		text = "(?i)" + text
	}
	re, err := regexp.Compile(text)
	if err != nil {
		return nil
	}
	return re
}

// finder reads what git grep says: "COMMIT:PATH\0LINE\0COLUMN\0TEXT" for a match, without the column for a line beside
// one.
type finder struct {
	search  Search
	prefix  string
	marks   *regexp.Regexp
	files   []Found
	current Found
	seen    int // files that are done
	matches int // of the current file
	all     int
	more    bool
	cut     string
}

func (f *finder) read(r io.Reader) error {
	in := bufio.NewReaderSize(r, 64<<10)
	for {
		line, err := in.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) { // a long line
			line = slices.Clone(line)
			for errors.Is(err, bufio.ErrBufferFull) {
				var more []byte
				if more, err = in.ReadSlice('\n'); len(line) < grepLine {
					line = append(line, more...)
				}
			}
		}
		if len(line) > 0 {
			if told := f.line(strings.TrimSuffix(string(line), "\n")); told != nil {
				return told
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (f *finder) line(s string) error {
	rest, ok := strings.CutPrefix(s, f.prefix)
	parts := strings.SplitN(rest, "\x00", 4)
	if !ok || len(parts) < 3 {
		return nil // the "--" between two places
	}
	number, err := strconv.Atoi(parts[1])
	if err != nil {
		return nil
	}
	if parts[0] != f.current.Path {
		if f.done(); len(f.files) > f.search.Files {
			f.files, f.more = f.files[:f.search.Files], true
			return errEnough
		}
		f.current, f.matches = Found{Path: parts[0]}, 0
	}
	column := 0
	if len(parts) == 4 {
		column, err = strconv.Atoi(parts[2])
	}
	isMatch := len(parts) == 4 && err == nil
	text := strings.Join(parts[2:], "\x00")
	if isMatch {
		text = parts[3]
		f.matches++
		if f.all++; f.all > grepAll {
			f.cut = "matches"
			return errEnough
		}
	}
	if f.matches > grepLines {
		f.current.More = true
		return nil
	}
	if f.seen < f.search.Skip {
		return nil
	}
	f.current.Lines = append(f.current.Lines, f.shown(number, column, text, isMatch))
	return nil
}

// shown gives as much of a line as is shown.
func (f *finder) shown(number, column int, text string, isMatch bool) FoundLine {
	l := FoundLine{Line: number, Match: isMatch}
	if len(text) > grepWidth {
		from := max(0, min(column-1-grepWidth/4, len(text)-grepWidth))
		text, l.Cut = text[from:from+grepWidth], true
	}
	l.Text = strings.ToValidUTF8(strings.TrimSuffix(text, "\r"), "\uFFFD")
	if isMatch && f.marks != nil {
		for _, at := range f.marks.FindAllStringIndex(l.Text, 50) {
			if at[0] < at[1] {
				l.Marks = append(l.Marks, [2]int{utf8.RuneCountInString(l.Text[:at[0]]), utf8.RuneCountInString(l.Text[:at[1]])})
			}
		}
	}
	return l
}

// done keeps the current file.
func (f *finder) done() {
	if f.current.Path == "" {
		return
	}
	if f.seen >= f.search.Skip {
		f.files = append(f.files, f.current)
	}
	f.seen++
	f.current = Found{}
}

func (f *finder) results() Results {
	f.done()
	if len(f.files) > f.search.Files {
		f.files, f.more = f.files[:f.search.Files], true
	}
	return Results{Files: f.files, More: f.more, Cut: f.cut}
}
