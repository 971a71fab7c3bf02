package scaffold

import (
	"bytes"
	"context"
	"maps"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/roadbed-dev/roadbed/internal/machinery/nunjucks"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func fetchActions() []Action {
	url := text("A path relative to the template's file, or the address of a folder of hosted git.")
	target := text("Where in the workspace; default is its root.")
	style := map[string]any{
		"values":                typed("object", "What the files know as values."),
		"cookiecutterCompat":    flag("{{ cookiecutter.x }} instead of ${{ values.x }}."),
		"trimBlocks":            flag("The newline after a block's tag is removed."),
		"lstripBlocks":          flag("White space before a block's tag is removed."),
		"replace":               flag("Replace files that are in the workspace; default false."),
		"url":                   url,
		"targetPath":            target,
		"token":                 text("Not used: hosted git is read as the person who uses the template."),
		"templateFileExtension": map[string]any{"type": []any{"string", "boolean"}, "description": "Only files with this ending are rendered, and lose it; true is .njk."},
		"copyWithoutTemplating": list(text("A pattern."), "Files whose contents are copied as they are."),
	}
	pickStyle := func(names ...string) map[string]any {
		picked := map[string]any{}
		for _, name := range names {
			picked[name] = style[name]
		}
		return picked
	}
	return []Action{
		{
			ID: "fetch:template", Description: "Renders a folder of files with nunjucks into the workspace.", DryRun: true,
			Input: object([]string{"url"}, style),
			run:   func(s *Service, ctx context.Context, c *call) error { return c.fetchTemplate(ctx, s) },
		},
		{
			ID: "fetch:template:file", Description: "Renders one file with nunjucks into the workspace.", DryRun: true,
			Input: object([]string{"url", "targetPath"}, pickStyle("url", "targetPath", "values", "cookiecutterCompat", "trimBlocks", "lstripBlocks", "replace", "token")),
			run:   func(s *Service, ctx context.Context, c *call) error { return c.fetchTemplateFile(ctx, s) },
		},
		{
			ID: "fetch:plain", Description: "Copies a folder of files into the workspace.", DryRun: true,
			Input: object([]string{"url"}, pickStyle("url", "targetPath", "token")),
			run:   func(s *Service, ctx context.Context, c *call) error { return c.fetchPlain(ctx, s) },
		},
		{
			ID: "fetch:plain:file", Description: "Copies one file into the workspace.", DryRun: true,
			Input: object([]string{"url", "targetPath"}, pickStyle("url", "targetPath", "token")),
			run:   func(s *Service, ctx context.Context, c *call) error { return c.fetchPlainFile(ctx, s) },
		},
	}
}

type fetchInput struct {
	URL                   string
	TargetPath            string
	Values                map[string]any
	CookiecutterCompat    bool
	TrimBlocks            bool
	LstripBlocks          bool
	Replace               bool
	TemplateFileExtension any
	CopyWithoutTemplating []string
}

func (in fetchInput) style() nunjucks.Style {
	return nunjucks.Style{Cookiecutter: in.CookiecutterCompat, TrimBlocks: in.TrimBlocks, LstripBlocks: in.LstripBlocks}
}

// context is what the files know.
func (in fetchInput) context() map[string]any {
	values := in.Values
	if values == nil {
		values = map[string]any{}
	}
	if in.CookiecutterCompat {
		return map[string]any{"cookiecutter": values}
	}
	return map[string]any{"values": values}
}

// extension gives the ending of the files that are rendered; "" means all.
func (in fetchInput) extension() (string, error) {
	extension := ""
	switch value := in.TemplateFileExtension.(type) {
	case bool:
		if value {
			extension = ".njk"
		}
	case string:
		if extension = value; value != "" && !strings.HasPrefix(value, ".") {
			extension = "." + value
		}
	}
	if extension != "" && (len(in.CopyWithoutTemplating) > 0 || in.CookiecutterCompat) {
		return "", fault.Errorf(fault.Invalid, "templateFileExtension can't be used together with copyWithoutTemplating or cookiecutterCompat")
	}
	return extension, nil
}

func (c *call) fetchTemplate(ctx context.Context, s *Service) error {
	var in fetchInput
	if err := c.into(&in); err != nil {
		return err
	}
	target, err := safePath(in.TargetPath)
	if err != nil {
		return err
	}
	extension, err := in.extension()
	if err != nil {
		return err
	}
	plain, err := compileGlobs(in.CopyWithoutTemplating)
	if err != nil {
		return err
	}
	skeleton, from, err := s.folder(ctx, c, in.URL)
	if err != nil {
		return err
	}
	session, err := s.nunjucks.Open(ctx, in.style())
	if err != nil {
		return err
	}
	defer session.Close()
	files := fileRenderer{session: session, context: in.context(), style: in.style()}
	written := 0
	for _, name := range slices.Sorted(maps.Keys(skeleton)) {
		f, contents, out := skeleton[name], !plain.match(name), name
		if extension != "" {
			if contents = strings.HasSuffix(name, extension); contents {
				out = strings.TrimSuffix(name, extension)
			}
		}
		// A name is rendered even where the contents are not (Backstage).
		if out, err = files.render(ctx, out, path.Join(from, name)+" (its name)"); err != nil {
			return err
		}
		if out == "" || strings.HasPrefix(out, "/") || strings.Contains(out, "//") || strings.HasSuffix(out, "/") {
			continue // a name of which a part renders to nothing leaves the file out
		}
		if _, err := safePath(out); err != nil {
			return err
		}
		out = path.Join(target, out)
		if _, there := c.space.files[out]; there && !in.Replace {
			continue
		}
		if contents && f.mode != modeLink && !isBinary(f) {
			rendered, err := files.render(ctx, string(f.data), path.Join(from, name))
			if err != nil {
				return err
			}
			f.data = []byte(rendered)
		}
		if err := c.space.put(out, f); err != nil {
			return err
		}
		written++
	}
	c.logf("rendered %d files of %s", written, from)
	return nil
}

// fileRenderer renders the files of a skeleton.
type fileRenderer struct {
	session *nunjucks.Session
	context map[string]any
	style   nunjucks.Style
}

// render leaves text without any marker as it is. name is for errors.
func (r fileRenderer) render(ctx context.Context, text, name string) (string, error) {
	if !mayRender(text) && !(r.style.Cookiecutter && strings.Contains(text, "{{")) {
		return text, nil
	}
	out, err := r.session.Render(ctx, text, r.context)
	if err == nil {
		return out, nil
	}
	details := slices.Clone(fault.Details(err))
	for i := range details {
		details[i].File = name
	}
	if len(details) > 0 {
		return "", fault.At("the file can't be rendered", details...)
	}
	return "", fault.Wrap(err, "render %s", name)
}

func (c *call) fetchTemplateFile(ctx context.Context, s *Service) error {
	var in fetchInput
	if err := c.into(&in); err != nil {
		return err
	}
	target, err := safePath(in.TargetPath)
	if err != nil {
		return err
	}
	if _, there := c.space.files[target]; there && !in.Replace {
		c.logf("%s is in the workspace already and is kept", target)
		return nil
	}
	data, from, err := s.oneFile(ctx, c, in.URL)
	if err != nil {
		return err
	}
	session, err := s.nunjucks.Open(ctx, in.style())
	if err != nil {
		return err
	}
	defer session.Close()
	files := fileRenderer{session, in.context(), in.style()}
	rendered, err := files.render(ctx, string(data), from)
	if err != nil {
		return err
	}
	c.logf("rendered %s to %s", from, target)
	return c.space.put(target, file{data: []byte(rendered)})
}

func (c *call) fetchPlain(ctx context.Context, s *Service) error {
	var in fetchInput
	if err := c.into(&in); err != nil {
		return err
	}
	target, err := safePath(in.TargetPath)
	if err != nil {
		return err
	}
	found, from, err := s.folder(ctx, c, in.URL)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		if err := c.space.put(path.Join(target, name), found[name]); err != nil {
			return err
		}
	}
	c.logf("copied %d files of %s", len(found), from)
	return nil
}

func (c *call) fetchPlainFile(ctx context.Context, s *Service) error {
	var in fetchInput
	if err := c.into(&in); err != nil {
		return err
	}
	data, from, err := s.oneFile(ctx, c, in.URL)
	if err != nil {
		return err
	}
	c.logf("copied %s to %s", from, in.TargetPath)
	return c.space.put(in.TargetPath, file{data: data})
}

func isBinary(f file) bool { return bytes.IndexByte(f.data, 0) >= 0 || !utf8.Valid(f.data) }
