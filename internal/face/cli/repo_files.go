package cli

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
)

// inRepo gives the path in the API of something of a repository that is named in an argument.
func inRepo(name, what string) string { return repoPath(name) + "/" + what }

func refFlag(c *cobra.Command, ref *string) {
	c.Flags().StringVar(ref, "ref", "", "`branch`, tag or commit; the default branch when not given")
}

func (s *state) repoFiles() *cobra.Command {
	var ref string
	c := s.verb("files NAMESPACE/NAME [FOLDER]", "What is in a folder", cobra.RangeArgs(1, 2), func(c *cobra.Command, api *client.Client, args []string) error {
		q := url.Values{"ref": {ref}}
		if len(args) > 1 {
			q.Set("path", strings.Trim(args[1], "/"))
		}
		tree, err := client.Get[client.List[client.TreeEntry]](c.Context(), api, inRepo(args[0], "tree"), q)
		if err != nil {
			return err
		}
		return s.show(c, tree.Items, func(w io.Writer) {
			fmt.Fprintln(w, "PATH\tSIZE\tMODE")
			for _, e := range tree.Items {
				size, name := "", e.Path
				if e.Type == "blob" {
					size = strconv.FormatInt(e.Size, 10)
				} else {
					name += "/"
				}
				fmt.Fprintln(w, cells([]any{name, size, e.Mode}))
			}
		})
	})
	refFlag(c, &ref)
	return c
}

func (s *state) repoCat() *cobra.Command {
	var ref string
	c := s.verb("cat NAMESPACE/NAME FILE", "Write a file as it is", cobra.ExactArgs(2), func(c *cobra.Command, api *client.Client, args []string) error {
		var content []byte
		if err := api.Do(c.Context(), "GET", inRepo(args[0], "raw"), url.Values{"ref": {ref}, "path": {args[1]}}, nil, &content); err != nil {
			return err
		}
		_, err := c.OutOrStdout().Write(content)
		return err
	})
	refFlag(c, &ref)
	return c
}

func (s *state) repoFind() *cobra.Command {
	var ref string
	c := s.verb("find NAMESPACE/NAME TEXT", "Files whose paths match, the best first", cobra.ExactArgs(2), func(c *cobra.Command, api *client.Client, args []string) error {
		found, err := client.Get[client.Paths](c.Context(), api, inRepo(args[0], "paths"), url.Values{"ref": {ref}, "text": {args[1]}})
		if err != nil {
			return err
		}
		return s.show(c, found.Paths, func(w io.Writer) {
			for _, path := range found.Paths {
				fmt.Fprintln(w, cells([]any{path}))
			}
		})
	})
	refFlag(c, &ref)
	return c
}

func (s *state) repoSearch() *cobra.Command {
	var ref, path string
	var regex, exact bool
	var limit int
	c := s.verb("search NAMESPACE/NAME TEXT", "Look for a text in the files of a repository", cobra.ExactArgs(2), func(c *cobra.Command, api *client.Client, args []string) error {
		q := url.Values{"ref": {ref}, "text": {args[1]}, "path": {path}, "regex": {strconv.FormatBool(regex)}, "case": {strconv.FormatBool(exact)}}
		found := client.Found{Items: []client.FoundFile{}}
		for {
			q.Set("limit", strconv.Itoa(min(200, max(1, limit-len(found.Items)))))
			part, err := client.Get[client.Found](c.Context(), api, inRepo(args[0], "search"), q)
			if err != nil {
				return err
			}
			found.Items = append(found.Items, part.Items...)
			found.Next, found.Commit, found.Cut = part.Next, part.Commit, part.Cut
			if part.Next == "" || len(found.Items) >= limit {
				break
			}
			q.Set("cursor", part.Next)
		}
		err := s.show(c, found.Items, func(w io.Writer) {
			out := plain{w}
			for _, f := range found.Items {
				for _, l := range f.Lines {
					if l.Match {
						fmt.Fprintf(out, "%s:%d:%s\n", f.Path, l.Line, strings.ReplaceAll(l.Text, "\t", "    "))
					}
				}
			}
		})
		switch {
		case err != nil:
			return err
		case found.Cut != "" || found.Next != "":
			fmt.Fprintln(c.ErrOrStderr(), "there is more; narrow it with --path, or raise --limit")
		case len(found.Items) == 0:
			fmt.Fprintln(c.ErrOrStderr(), "nothing was found")
		}
		return nil
	})
	refFlag(c, &ref)
	c.Flags().StringVar(&path, "path", "", "only below a folder, or in files of a `pattern` such as *.go")
	c.Flags().BoolVar(&regex, "regex", false, "the text is an extended regular expression")
	c.Flags().BoolVar(&exact, "case", false, "upper and lower case differ")
	c.Flags().IntVar(&limit, "limit", 200, "how `many` files at most")
	return c
}

func (s *state) repoBlame() *cobra.Command {
	var ref string
	var from, to int
	c := s.verb("blame NAMESPACE/NAME FILE", "Which commit wrote each line of a file", cobra.ExactArgs(2), func(c *cobra.Command, api *client.Client, args []string) error {
		q := url.Values{"ref": {ref}, "path": {args[1]}, "from": {strconv.Itoa(from)}, "to": {strconv.Itoa(to)}}
		blame, err := client.Get[client.Blame](c.Context(), api, inRepo(args[0], "blame"), q)
		if err != nil {
			return err
		}
		commits := map[string]client.Commit{}
		for _, x := range blame.Commits {
			commits[x.Hash] = x
		}
		return s.show(c, blame, func(w io.Writer) {
			fmt.Fprintln(w, "LINES\tCOMMIT\tAUTHOR\tWHEN\tSUBJECT")
			for _, h := range blame.Hunks {
				by := commits[h.Commit]
				fmt.Fprintln(w, cells([]any{lines(h.Line, h.Lines), short(h.Commit), by.Author, ago(by.Time), by.Subject}))
			}
		})
	})
	refFlag(c, &ref)
	c.Flags().IntVar(&from, "from", 0, "the first `line`")
	c.Flags().IntVar(&to, "to", 0, "the last `line`")
	return c
}

func lines(first, n int) string {
	if n == 1 {
		return strconv.Itoa(first)
	}
	return fmt.Sprintf("%d-%d", first, first+n-1)
}

func (s *state) repoDownload() *cobra.Command {
	var ref, format, file string
	c := s.verb("download NAMESPACE/NAME", "Write all files of a commit as an archive", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		if format != "zip" && format != "tar.gz" {
			return Usage(fmt.Errorf("--format is %q, which is neither zip nor tar.gz", format))
		}
		if file == "" {
			return Usage(errors.New("name the file to write with --to"))
		}
		var content []byte
		if err := api.Do(c.Context(), "GET", inRepo(args[0], "archive"), url.Values{"ref": {ref}, "format": {format}}, nil, &content); err != nil {
			return err
		}
		return os.WriteFile(file, content, 0o644)
	})
	refFlag(c, &ref)
	c.Flags().StringVar(&format, "format", "tar.gz", "`format`: zip or tar.gz")
	c.Flags().StringVar(&file, "to", "", "`file` to write")
	return c
}

func (s *state) repoLog() *cobra.Command {
	var ref, path, author string
	c := listing(s, "log NAMESPACE/NAME", "Commits, the newest first", cobra.ExactArgs(1), newest, func(args []string) (list[client.Commit], error) {
		q := url.Values{"ref": {ref}, "path": {path}, "author": {author}}
		return list[client.Commit]{
			path: inRepo(args[0], "commits"), query: q, head: "COMMIT\tSUBJECT\tAUTHOR\tWHEN",
			row:  func(x client.Commit) []any { return []any{short(x.Hash), x.Subject, x.Author, ago(x.Time)} },
			noun: "commits", next: "push one",
		}, nil
	})
	refFlag(c, &ref)
	c.Flags().StringVar(&path, "path", "", "only those that changed a `file` or a folder")
	c.Flags().StringVar(&author, "author", "", "only those of authors whose name or address has a `text`")
	return c
}

func (s *state) repoBranches() *cobra.Command {
	return listing(s, "branches NAMESPACE/NAME", "Branches, and how they stand to the default one", cobra.ExactArgs(1), whole, func(args []string) (list[client.Branch], error) {
		return list[client.Branch]{
			path: inRepo(args[0], "branches"), query: url.Values{"details": {"true"}}, head: "BRANCH\tCOMMIT\tAHEAD\tBEHIND\tCHANGED\tSUBJECT",
			row: func(b client.Branch) []any {
				last := client.Commit{}
				if b.Last != nil {
					last = *b.Last
				}
				return []any{b.Name, short(b.Commit), count(b.Ahead), count(b.Behind), ago(b.Updated), last.Subject}
			},
			noun: "branches", next: "push one",
		}, nil
	})
}

func count(n *int) string {
	if n == nil {
		return ""
	}
	return strconv.Itoa(*n)
}

func (s *state) repoTags() *cobra.Command {
	return listing(s, "tags NAMESPACE/NAME", "Tags, with what they say", cobra.ExactArgs(1), whole, func(args []string) (list[client.Tag], error) {
		return list[client.Tag]{
			path: inRepo(args[0], "tags"), query: url.Values{"details": {"true"}}, head: "TAG\tCOMMIT\tTAGGED\tMESSAGE",
			row: func(t client.Tag) []any {
				subject, _, _ := strings.Cut(t.Message, "\n")
				when := t.Updated
				if t.Tagged != nil {
					when = *t.Tagged
				}
				return []any{t.Name, short(t.Commit), ago(when.Truncate(time.Second)), subject}
			},
			noun: "tags", next: "make one with `roadbed repo tag NAMESPACE/NAME v1.0.0`",
		}, nil
	})
}

func (s *state) repoTag() *cobra.Command {
	var at, message string
	var remove bool
	c := s.verb("tag NAMESPACE/NAME TAG", "Make a tag, or delete one", cobra.ExactArgs(2), func(c *cobra.Command, api *client.Client, args []string) error {
		if remove {
			return api.Do(c.Context(), "DELETE", inRepo(args[0], "tags"), url.Values{"name": {args[1]}}, nil, nil)
		}
		t, err := client.Post[client.Tag](c.Context(), api, inRepo(args[0], "tags"), client.NewRef{Name: args[1], At: at, Message: message})
		if err != nil {
			return err
		}
		return s.show(c, t, func(w io.Writer) { fmt.Fprintln(w, t.Commit) })
	})
	c.Flags().StringVar(&at, "ref", "", "`branch`, tag or commit; the default branch when not given")
	c.Flags().StringVarP(&message, "message", "m", "", "`text` of an annotated tag")
	c.Flags().BoolVar(&remove, "delete", false, "delete it")
	return c
}

func (s *state) repoBranch() *cobra.Command {
	var at string
	var remove bool
	c := s.verb("branch NAMESPACE/NAME BRANCH", "Make a branch, or delete one", cobra.ExactArgs(2), func(c *cobra.Command, api *client.Client, args []string) error {
		if remove {
			return api.Do(c.Context(), "DELETE", inRepo(args[0], "branches"), url.Values{"name": {args[1]}}, nil, nil)
		}
		made, err := client.Post[client.Committed](c.Context(), api, inRepo(args[0], "branches"), client.NewRef{Name: args[1], At: at})
		if err != nil {
			return err
		}
		return s.show(c, made, func(w io.Writer) { fmt.Fprintln(w, made.Commit) })
	})
	c.Flags().StringVar(&at, "ref", "", "`branch`, tag or commit that it begins at; the default branch when not given")
	c.Flags().BoolVar(&remove, "delete", false, "delete it")
	return c
}

func (s *state) repoCompare() *cobra.Command {
	c := s.verb("compare NAMESPACE/NAME BASE HEAD", "What one branch, tag or commit changes of another", cobra.ExactArgs(3), func(c *cobra.Command, api *client.Client, args []string) error {
		d, err := client.Get[client.Comparison](c.Context(), api, inRepo(args[0], "compare"), url.Values{"base": {args[1]}, "head": {args[2]}})
		if err != nil {
			return err
		}
		return s.show(c, d, func(w io.Writer) {
			out := plain{w}
			fmt.Fprintf(out, "%d ahead, %d behind, %d files\n", d.Ahead, d.Behind, len(d.Files))
			for _, f := range d.Files {
				fmt.Fprintf(out, "\n%s %s +%d -%d\n%s", f.Status, f.Path, f.Additions, f.Deletions, f.Patch)
			}
		})
	})
	return c
}
