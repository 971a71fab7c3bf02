package scaffold

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

func catalogActions() []Action {
	entity := map[string]any{"type": "object", "description": "The entity's document."}
	return []Action{
		{
			ID: "catalog:fetch", Description: "Gives entities of the catalog.", DryRun: true,
			Input: object(nil, map[string]any{
				"entityRef": text("Reference of one entity."), "entityRefs": list(text("A reference."), "References of several."),
				"optional":    flag("Give null for what isn't there instead of failing; default false."),
				"defaultKind": text("Kind where a reference names none."), "defaultNamespace": text("Namespace where a reference names none."),
			}),
			Output: object(nil, map[string]any{"entity": entity, "entities": list(entity, "The entities.")}),
			run:    func(s *Service, ctx context.Context, c *call) error { return c.fetchEntities(ctx, s) },
		},
		{
			ID: "catalog:register", Description: "Registers a file of a hosted repository, with the entities it declares, in the catalog.",
			Input: object(nil, map[string]any{
				"catalogInfoUrl":  text("Address of the file."),
				"repoContentsUrl": text("Address of the repository, as a publish action gives it."),
				"catalogInfoPath": text("Path of the file in the repository; default /catalog-info.yaml."),
				"optional":        flag("Go on when the file can't be read yet; default false."),
			}),
			Output: object(nil, map[string]any{"entityRef": text("The component, or the first entity."), "catalogInfoUrl": text("Address of the file.")}),
			run:    func(s *Service, ctx context.Context, c *call) error { return c.register(ctx, s) },
		},
		{
			ID: "catalog:write", Description: "Writes an entity as YAML into the workspace.", DryRun: true,
			Input: object([]string{"entity"}, map[string]any{"filePath": text("Default catalog-info.yaml."), "entity": entity}),
			run:   func(_ *Service, _ context.Context, c *call) error { return c.writeEntity() },
		},
	}
}

func (c *call) fetchEntities(ctx context.Context, s *Service) error {
	var in struct {
		EntityRef                     string
		EntityRefs                    []string
		Optional                      bool
		DefaultKind, DefaultNamespace string
	}
	if err := c.into(&in); err != nil {
		return err
	}
	if in.EntityRef == "" && in.EntityRefs == nil {
		if in.Optional {
			return nil
		}
		return fault.Errorf(fault.Invalid, "give entityRef or entityRefs")
	}
	if in.DefaultNamespace == "" {
		in.DefaultNamespace = ref.DefaultNamespace
	}
	get := func(reference string) (any, error) {
		r, err := ref.Parse(reference, in.DefaultKind, in.DefaultNamespace)
		if err != nil {
			return nil, err
		}
		e, err := s.Catalog.Get(ctx, r)
		if fault.Is(err, fault.NotFound) && in.Optional {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		return normal(e.Document.Value()), nil
	}
	if in.EntityRef != "" {
		entity, err := get(in.EntityRef)
		if err != nil {
			return err
		}
		c.output["entity"] = entity
	}
	if in.EntityRefs != nil {
		entities := []any{}
		for _, reference := range in.EntityRefs {
			entity, err := get(reference)
			if err != nil {
				return err
			}
			entities = append(entities, entity)
		}
		c.output["entities"] = entities
	}
	return nil
}

func (c *call) register(ctx context.Context, s *Service) error {
	var in struct {
		CatalogInfoURL, RepoContentsURL, CatalogInfoPath string
		Optional                                         bool
	}
	if err := c.into(&in); err != nil {
		return err
	}
	address := in.CatalogInfoURL
	if address == "" {
		if in.RepoContentsURL == "" {
			return fault.Errorf(fault.Invalid, "give catalogInfoUrl, or repoContentsUrl with catalogInfoPath")
		}
		if in.CatalogInfoPath == "" {
			in.CatalogInfoPath = "/catalog-info.yaml"
		}
		address = strings.TrimSuffix(in.RepoContentsURL, "/") + "/" + strings.TrimLeft(in.CatalogInfoPath, "/")
	}
	repository, file, ok := s.hosted(address)
	if !ok || file == "" {
		return fault.Errorf(fault.Invalid, "%s is not a file of this installation's hosted git; give repoContentsUrl as publish:roadbed gave it", clip(address, 300))
	}
	thing := Made{Kind: MadeLocation, Name: repository + ":" + file, URL: s.repositoryURL(repository) + "/" + file}
	before, _, err := c.keeper.state(ctx, thing)
	if err != nil {
		return err
	}
	if err := c.keeper.intend(ctx, thing); err != nil {
		return err
	}
	found, err := s.Catalog.Register(ctx, c.task.Space, Location{Repository: repository, Path: file})
	if err != nil {
		err = c.forgetUnlessResumed(ctx, thing, before, err)
		if in.Optional && fault.KindOf(err) != fault.Internal {
			c.logf("not registered: %s", fault.Message(err))
			return nil
		}
		return err
	}
	if found.Existed && before == "" {
		if err := c.keeper.forget(ctx, thing); err != nil {
			return err
		}
	} else {
		thing.ID, thing.Entities = found.ID, references(found.Entities)
		if err := c.keeper.made(ctx, thing); err != nil {
			return err
		}
	}
	c.output["catalogInfoUrl"] = thing.URL
	if entity := mainEntity(found.Entities); !entity.IsZero() {
		c.output["entityRef"] = entity.String()
		c.logf("registered %s", strings.Join(references(found.Entities), ", "))
	}
	if found.Error != "" && !in.Optional {
		return fault.Errorf(fault.Invalid, "%s was registered, but can't be read: %s", thing.Name, found.Error)
	}
	return nil
}

// forget takes an intention back and gives err, or what stopped it from doing so.
func (c *call) forget(ctx context.Context, thing Made, err error) error {
	if forgetting := c.keeper.forget(ctx, thing); forgetting != nil {
		return forgetting
	}
	return err
}

func references(entities []ref.Entity) []string {
	list := make([]string, len(entities))
	for i, e := range entities {
		list[i] = e.String()
	}
	return list
}

// mainEntity is the one that a golden path is about: the component, else what comes first and isn't a location.
func mainEntity(entities []ref.Entity) ref.Entity {
	for _, want := range []func(ref.Entity) bool{
		func(e ref.Entity) bool { return e.Kind == "component" },
		func(e ref.Entity) bool { return e.Kind != "location" },
		func(ref.Entity) bool { return true },
	} {
		if i := slices.IndexFunc(entities, want); i >= 0 {
			return entities[i]
		}
	}
	return ref.Entity{}
}

func (c *call) writeEntity() error {
	var in struct {
		FilePath string
		Entity   map[string]any
	}
	if err := c.into(&in); err != nil {
		return err
	}
	if in.FilePath == "" {
		in.FilePath = "catalog-info.yaml"
	}
	entity := maps.Clone(in.Entity)
	metadata, _ := entity["metadata"].(map[string]any)
	metadata = maps.Clone(metadata)
	if metadata == nil {
		metadata = map[string]any{}
	}
	annotations, _ := metadata["annotations"].(map[string]any)
	annotations = maps.Clone(annotations)
	if annotations == nil {
		annotations = map[string]any{}
	}
	annotations["backstage.io/source-template"] = c.task.Template
	metadata["annotations"] = annotations
	entity["metadata"] = metadata
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(ordered(entity, "apiVersion", "kind", "metadata", "spec")); err != nil {
		return fault.Errorf(fault.Invalid, "the entity can't be written as YAML: %w", err)
	}
	c.logf("wrote %s", in.FilePath)
	return c.space.put(in.FilePath, file{data: out.Bytes()})
}

// ordered gives a mapping as YAML with some keys first and the rest by name.
func ordered(m map[string]any, first ...string) *yaml.Node {
	node := &yaml.Node{Kind: yaml.MappingNode}
	add := func(key string) {
		var k, v yaml.Node
		if k.Encode(key) != nil || v.Encode(m[key]) != nil {
			return // values of JSON always encode
		}
		if nested, ok := m[key].(map[string]any); ok && key == "metadata" {
			v = *ordered(nested, "name", "namespace", "title", "description")
		}
		node.Content = append(node.Content, &k, &v)
	}
	for _, key := range first {
		if _, ok := m[key]; ok {
			add(key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if !slices.Contains(first, key) {
			add(key)
		}
	}
	return node
}
