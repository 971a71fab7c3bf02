package cli

import (
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func (s *state) docs() *cobra.Command {
	return group("docs", "Docs that live beside the code", s.docsList(), s.docsShow(), s.docsSearch(), s.docsCheck())
}

func (s *state) docsList() *cobra.Command {
	var text string
	var broken bool
	c := listing(s, "list", "Entities that have docs", cobra.NoArgs, whole, func([]string) (list[client.DocsListed], error) {
		query := url.Values{"text": {text}}
		if broken {
			query.Set("broken", "true")
		}
		return list[client.DocsListed]{
			path: "/docs", query: query, head: "ENTITY\tTITLE\tPAGES\tPROBLEMS\tREPOSITORY\tCHANGED",
			row: func(d client.DocsListed) []any {
				return []any{d.Entity, d.Title, d.Pages, d.Broken, d.Repository, ago(d.Updated)}
			},
			noun: "docs", next: "put a README, docs/ or mkdocs.yml beside the file that declares an entity",
		}, nil
	})
	c.Flags().StringVar(&text, "text", "", "only those with this `text` in the entity's name or the title")
	c.Flags().BoolVar(&broken, "broken", false, "only those in which something is wrong")
	return c
}

func (s *state) docsShow() *cobra.Command {
	var ref string
	c := s.verb("show [KIND] NAME", "The pages of an entity's docs", cobra.RangeArgs(1, 2), func(c *cobra.Command, api *client.Client, args []string) error {
		at, err := entityPath(args)
		if err != nil {
			return err
		}
		d, err := client.Get[client.Docs](c.Context(), api, at+"/docs", url.Values{"ref": {ref}})
		if err != nil {
			return err
		}
		return s.show(c, d, func(w io.Writer) {
			fmt.Fprintf(w, "title\t%s\nrepository\t%s\nfolder\t%s\ncommit\t%s\n", d.Title, d.Repository, dash(d.Folder), short(d.Commit))
			for _, p := range d.Pages {
				fmt.Fprintf(w, "page\t%s\t%s\n", p.Title, p.File)
			}
			for _, p := range d.Problems {
				fmt.Fprintf(w, "problem\t%s\n", docsProblem(p))
			}
		})
	})
	c.Flags().StringVar(&ref, "ref", "", "as of a `branch`, tag or commit")
	return c
}

func (s *state) docsSearch() *cobra.Command {
	var text string
	c := s.verb("search [KIND] NAME --text WORDS", "Sections of an entity's docs that have all of some words", cobra.RangeArgs(1, 2), func(c *cobra.Command, api *client.Client, args []string) error {
		at, err := entityPath(args)
		if err != nil {
			return err
		}
		return showList(s, c, api, list[client.DocsFound]{
			path: at + "/docs/search", query: url.Values{"text": {text}}, head: "PAGE\tSECTION\tTEXT",
			row:  func(f client.DocsFound) []any { return []any{f.Title, dash(f.Heading), f.Excerpt} },
			noun: "sections with these words",
		})
	})
	limitFlag(c, 20)
	c.Flags().StringVar(&text, "text", "", "`words` that all occur")
	_ = c.MarkFlagRequired("text") // the flag is there
	return c
}

func (s *state) docsCheck() *cobra.Command {
	var ref string
	c := s.verb("check {FOLDER | [KIND] NAME}", "Links of docs that lead nowhere: of a folder here, or of an entity", cobra.RangeArgs(1, 2), func(c *cobra.Command, api *client.Client, args []string) error {
		report, err := checkDocs(c, api, args, ref)
		if err != nil {
			return err
		}
		if err := s.show(c, report, func(w io.Writer) {
			for _, p := range report.Problems {
				fmt.Fprintln(w, docsProblem(p))
			}
			if report.More {
				fmt.Fprintln(w, "… and more")
			}
			fmt.Fprintf(w, "%d pages, %d links, %d problems\n", report.Pages, report.Links, len(report.Problems))
		}); err != nil {
			return err
		}
		if len(report.Problems) > 0 {
			return fault.Errorf(fault.Invalid, "the docs have mistakes")
		}
		return nil
	})
	c.Long = "Tells each link of the docs that leads to no page, heading or file, with its\nfile and line. When there is any, it has failed.\n\n" +
		"A FOLDER is that of mkdocs.yml, of docs/ or of a README, and begins with . or /.\nIts pages are sent to the server, which keeps nothing." + exitHelp
	c.Example = "  roadbed docs check .\n  roadbed docs check shop\n  roadbed docs check api payments/orders --ref my-branch"
	c.Flags().StringVar(&ref, "ref", "", "of an entity, as of a `branch`, tag or commit")
	return c
}

func checkDocs(c *cobra.Command, api *client.Client, args []string, ref string) (client.DocsReport, error) {
	if len(args) == 1 && (strings.HasPrefix(args[0], ".") || filepath.IsAbs(args[0])) {
		files, err := docsFiles(args[0])
		if err != nil {
			return client.DocsReport{}, err
		}
		return client.Post[client.DocsReport](c.Context(), api, "/docs/check", files)
	}
	at, err := entityPath(args)
	if err != nil {
		return client.DocsReport{}, err
	}
	return client.Get[client.DocsReport](c.Context(), api, at+"/docs/check", url.Values{"ref": {ref}})
}

// Bounds of a folder whose docs are checked; the server has them too.
const (
	docsFileMost  = 20_000
	docsBytesMost = 24 << 20
	docsPageMost  = 1 << 20
)

// docsFiles reads the pages of a folder, and the names of its other files.
func docsFiles(folder string) (client.DocsFiles, error) {
	files, size, count := client.DocsFiles{Pages: map[string]string{}}, 0, 0
	err := filepath.WalkDir(folder, func(at string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(folder, at)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if d.Name() == ".git" || d.Name() == "node_modules" {
				return filepath.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() {
			return nil
		}
		if count++; count > docsFileMost {
			return fault.Errorf(fault.TooLarge, "%s has more than %d files; name a folder further down", folder, docsFileMost)
		}
		name = filepath.ToSlash(name)
		switch strings.ToLower(path.Ext(name)) {
		case ".md", ".markdown", ".mdown", ".mkd":
		default:
			if name != "mkdocs.yml" && name != "mkdocs.yaml" {
				files.Others = append(files.Others, name)
				return nil
			}
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if info.Size() > docsPageMost {
			return fault.Errorf(fault.TooLarge, "%s is larger than 1 MiB, which is more than a page may have", at)
		}
		if size += int(info.Size()); size > docsBytesMost {
			return fault.Errorf(fault.TooLarge, "the pages in %s have more than %d MiB", folder, docsBytesMost>>20)
		}
		content, err := os.ReadFile(at)
		if err != nil {
			return err
		}
		files.Pages[name] = string(content)
		return nil
	})
	return files, err
}

// docsProblem is one line: file:line: what is wrong: the link.
func docsProblem(p client.DocsProblem) string {
	text := problem(client.FileProblem{File: p.File, Line: p.Line, Message: p.Message})
	if p.Target != "" {
		text += " (" + p.Target + ")"
	}
	return text
}
