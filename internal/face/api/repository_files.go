package api

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"path"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/roadbed-dev/roadbed/client"
	facegit "github.com/roadbed-dev/roadbed/internal/face/api/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func (a *API) fileRoutes(one string) {
	const noun = "repositories"
	register(a, operation("listTree", http.MethodGet, one+"/tree", noun, "A folder at a commit"), a.listTree)
	register(a, operation("lastCommits", http.MethodGet, one+"/tree/commits", noun, "Which commits changed the entries of a folder last"), a.lastCommits)
	register(a, operation("readFile", http.MethodGet, one+"/file", noun, "A file at a commit"), a.readFile)
	register(a, operation("findFiles", http.MethodGet, one+"/paths", noun, "Files whose paths match a text, the best first"), a.findFiles)
	register(a, operation("blameFile", http.MethodGet, one+"/blame", noun, "Which commit wrote each line of a file"), a.blameFile)
	register(a, operation("searchFiles", http.MethodGet, one+"/search", noun, "Look for a text in the files of a commit"), a.searchFiles)
	bytesOf := func(op huma.Operation, what string) huma.Operation {
		op.Responses = map[string]*huma.Response{"200": {Description: what, Content: map[string]*huma.MediaType{
			"application/octet-stream": {Schema: &huma.Schema{Type: "string", Format: "binary"}},
		}}}
		return op
	}
	register(a, bytesOf(operation("downloadFile", http.MethodGet, one+"/raw", noun, "A file as it is, of any size"), "The file; of a type that no browser runs"), a.downloadFile)
	register(a, bytesOf(operation("downloadArchive", http.MethodGet, one+"/archive", noun, "All files of a commit as an archive"), "The archive"), a.downloadArchive)
}

// AtInput names a path of a repository at a commit.
type AtInput struct {
	Named
	Ref  string `query:"ref" maxLength:"250" doc:"Branch, tag or commit; empty for the default branch."`
	Path string `query:"path" maxLength:"1000"`
}

func (a *API) listTree(ctx context.Context, in *AtInput) (*body[List[TreeEntry]], error) {
	entries, err := a.Repositories.Tree(ctx, in.full(), in.Ref, in.Path)
	if err != nil {
		return nil, err
	}
	items := make([]TreeEntry, len(entries))
	modules := false
	for i, e := range entries {
		items[i] = TreeEntry{Path: e.Path, Type: e.Type, Mode: e.Mode, Hash: e.Hash, Size: e.Size}
		modules = modules || e.Type == "commit"
	}
	if modules {
		remotes, err := a.Repositories.Modules(ctx, in.full(), in.Ref)
		if err != nil {
			return nil, err
		}
		for i, e := range items {
			if e.Type == "commit" {
				items[i].Remote = remotes[e.Path]
			}
		}
	}
	return list(items, ""), nil
}

func (a *API) lastCommits(ctx context.Context, in *AtInput) (*body[LastCommits], error) {
	last, err := a.Repositories.LastCommits(ctx, in.full(), in.Ref, in.Path)
	if err != nil {
		return nil, err
	}
	out := LastCommits{Entries: []client.LastCommit{}, Commits: []Commit{}, Complete: last.Complete}
	for name, commit := range last.Of {
		out.Entries = append(out.Entries, client.LastCommit{Name: name, Commit: commit})
	}
	for _, c := range last.Commits {
		out.Commits = append(out.Commits, wireCommit(c))
	}
	return answer(out), nil
}

// fileLimit bounds a file that is shown, in bytes.
const fileLimit = 2 << 20

func (a *API) readFile(ctx context.Context, in *AtInput) (*body[File], error) {
	if in.Path == "" {
		return nil, fault.Errorf(fault.Invalid, "name a file with path")
	}
	commit, err := a.Repositories.Resolve(ctx, in.full(), in.Ref)
	if err != nil {
		return nil, err
	}
	e, err := a.Repositories.Entry(ctx, in.full(), commit, in.Path)
	if err != nil {
		return nil, err
	}
	f := File{Path: in.Path, Size: e.Size, Hash: e.Hash, Mode: e.Mode, Target: e.Target}
	data, err := a.Repositories.ReadFile(ctx, in.full(), commit, in.Path, fileLimit)
	switch {
	case fault.Is(err, fault.TooLarge):
		f.TooLarge = true
		return answer(f), nil
	case f.Target != "" && (fault.Is(err, fault.NotFound) || fault.Is(err, fault.Invalid)): // it leads out of the repository, or to a folder
		return answer(f), nil
	case err != nil:
		return nil, err
	}
	if f.Target != "" {
		f.Size = int64(len(data))
	}
	large, isLarge, err := a.Repositories.LargeAt(ctx, in.full(), data)
	if err != nil {
		return nil, err
	}
	if isLarge {
		f.LFS, f.Size, f.TooLarge = true, large.Size, large.Size > fileLimit
		if f.TooLarge {
			return answer(f), nil
		}
		if data, err = a.largeFile(ctx, in.full(), large.OID); err != nil {
			return nil, err
		}
	}
	if f.Binary = !utf8.Valid(data) || bytes.ContainsRune(data[:min(len(data), 8000)], 0); !f.Binary {
		f.Text = string(data)
	}
	return answer(f), nil
}

// largeFile gives a file of Git LFS that is small enough to be shown.
func (a *API) largeFile(ctx context.Context, name, oid string) ([]byte, error) {
	content, _, err := a.Repositories.OpenLarge(ctx, name, oid)
	if err != nil {
		return nil, err
	}
	defer content.Close()
	return io.ReadAll(io.LimitReader(content, fileLimit))
}

type findFilesInput struct {
	RefInput
	Text  string `query:"text" maxLength:"200" doc:"Characters of the path in their order, in any case."`
	Limit int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

func (a *API) findFiles(ctx context.Context, in *findFilesInput) (*body[Paths], error) {
	names, more, err := a.Repositories.Names(ctx, in.full(), in.Ref, in.Text, in.Limit)
	return answer(Paths{Paths: append([]string{}, names...), More: more}), err
}

type blameInput struct {
	AtInput
	From int `query:"from" minimum:"0" doc:"The first line; 0 for all."`
	To   int `query:"to" minimum:"0" doc:"The last line; 0 for all."`
}

func (a *API) blameFile(ctx context.Context, in *blameInput) (*body[Blame], error) {
	commit, b, err := a.Repositories.Blame(ctx, in.full(), in.Ref, in.Path, in.From, in.To)
	if err != nil {
		return nil, err
	}
	out := Blame{Commit: commit, Path: in.Path, Hunks: []client.BlameHunk{}, Commits: []Commit{}}
	for _, h := range b.Hunks {
		out.Hunks = append(out.Hunks, client.BlameHunk(h))
	}
	for _, c := range b.Commits {
		out.Commits = append(out.Commits, wireCommit(c))
	}
	return answer(out), nil
}

type searchFilesInput struct {
	RefInput
	Paging
	Text  string `query:"text" required:"true" minLength:"1" maxLength:"500" doc:"One line."`
	Regex bool   `query:"regex" doc:"The text is an extended regular expression."`
	Case  bool   `query:"case" doc:"Upper and lower case differ."`
	Path  string `query:"path" maxLength:"500" doc:"A folder, or a pattern such as *.go or services/**/main.tf."`
}

func (a *API) searchFiles(ctx context.Context, in *searchFilesInput) (*body[Found], error) {
	commit, found, next, err := a.Repositories.Search(ctx, in.full(), in.Ref, git.Search{Text: in.Text, Regex: in.Regex, Case: in.Case, Path: in.Path}, in.part())
	if err != nil {
		return nil, err
	}
	out := Found{Items: []client.FoundFile{}, Next: next, Commit: commit, Cut: found.Cut}
	for _, f := range found.Files {
		file := client.FoundFile{Path: f.Path, Lines: []client.FoundLine{}, More: f.More}
		for _, l := range f.Lines {
			file.Lines = append(file.Lines, client.FoundLine(l))
		}
		out.Items = append(out.Items, file)
	}
	return answer(out), nil
}

type downloadFileInput struct {
	AtInput
	Download bool `query:"download" doc:"For a browser: it is to be kept, not shown."`
}

func (a *API) downloadFile(ctx context.Context, in *downloadFileInput) (*huma.StreamResponse, error) {
	f, err := a.Repositories.OpenFile(ctx, in.full(), in.Ref, in.Path)
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(c huma.Context) {
		defer f.Close()
		r, w := humago.Unwrap(c)
		if err := facegit.ServeFile(w, r, in.Path, f.Hash, f.Size, f, in.Download); err != nil {
			a.broken(ctx, w, err)
		}
	}}, nil
}

// broken ends an answer that has begun and can't be given to its end: its reader must not take it for whole.
func (a *API) broken(ctx context.Context, w http.ResponseWriter, err error) {
	if ctx.Err() == nil {
		a.Log.ErrorContext(ctx, "send a file of a repository", "error", err)
	}
	panic(http.ErrAbortHandler)
}

type downloadArchiveInput struct {
	RefInput
	Format string `query:"format" enum:"zip,tar.gz" default:"zip"`
}

func (a *API) downloadArchive(ctx context.Context, in *downloadArchiveInput) (*huma.StreamResponse, error) {
	commit, err := a.Repositories.Resolve(ctx, in.full(), in.Ref)
	if err != nil {
		return nil, err
	}
	label := in.Ref
	if label == "" || git.IsHash(label) {
		label = commit[:12]
	}
	folder := in.Name + "-" + strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_.", r) {
			return r
		}
		return '-'
	}, path.Clean(label))
	content, err := a.Repositories.Download(ctx, in.full(), commit, in.Format, folder)
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(c huma.Context) {
		defer content.Close()
		_, w := humago.Unwrap(c)
		c.SetHeader("Content-Type", map[string]string{git.FormatZip: "application/zip", git.FormatTar: "application/gzip"}[in.Format])
		c.SetHeader("Content-Disposition", "attachment; filename="+strconv.Quote(folder+"."+in.Format))
		c.SetHeader("X-Content-Type-Options", "nosniff")
		c.SetHeader("Cache-Control", "private, no-cache")
		c.SetHeader("X-Roadbed-Commit", commit)
		paced, done := git.Paced(w)
		defer done()
		if _, err := io.Copy(paced, content); err != nil {
			a.broken(ctx, w, fmt.Errorf("archive %s: %w", in.full(), err))
		}
	}}, nil
}
