package catalog_test

import (
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
)

const manyPlaceholders = `apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: filled
  title: {$text: ./title.txt}
  description:
    $text: ./words.md
  labels: {tier: {$text: ./tier}, plain: one}
  annotations:
    example.org/notes: {$text: ./words.md}
  tags: {$json: ./tags.json}
  links:
    - {url: {$text: ./url}, title: Home}
    - $yaml: ./link.yaml
spec:
  $yaml: ./spec.yaml
`

// As with Backstage, a placeholder stands for any value of a document.
func TestPlaceholdersStandAnywhere(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		alice := accesstest.As("alice")
		b.repository(alice, "default", "team/shop")
		b.push(alice, "team/shop", map[string]string{
			"catalog-info.yaml": manyPlaceholders, "title.txt": "Filled in", "words.md": "some words", "tier": "gold", "url": "https://example.org/home",
			"tags.json": `["go", "grpc"]`, "link.yaml": "{url: https://example.org/runbook, title: Runbook}", "spec.yaml": "{type: service, lifecycle: production, owner: team}",
		})
		l := b.location(alice, "default", "team/shop", "")
		if l.Error != "" {
			t.Fatalf("%s %v", l.Error, l.Details)
		}
		d := b.get("filled").Document
		m := d.Metadata
		if m.Title != "Filled in" || m.Description != "some words" || m.Labels["tier"] != "gold" || m.Labels["plain"] != "one" || m.Annotations["example.org/notes"] != "some words" {
			t.Errorf("metadata: %+v", m)
		}
		if strings.Join(m.Tags, " ") != "go grpc" || len(m.Links) != 2 || m.Links[0].URL != "https://example.org/home" || m.Links[1].Title != "Runbook" || m.Rest != nil {
			t.Errorf("lists: %v %+v %v", m.Tags, m.Links, m.Rest)
		}
		if d.Spec["owner"] != "team" {
			t.Errorf("spec: %v", d.Spec)
		}

		// What they bring is held to what stands in their place, and named by it; the last good entity stays.
		b.follow(func() {
			b.push(alice, "team/shop", map[string]string{"tags.json": `["go", {"a": "b"}]`, "link.yaml": "just words", "title.txt": ""})
		})
		now := details(b.again(l))
		for _, want := range []string{"catalog-info.yaml:11:3: metadata.tags.1: must be text", "catalog-info.yaml:14:7: metadata.links.1: must be a mapping", "catalog-info.yaml:5:3: metadata.title: there is no file title.txt"} {
			if !strings.Contains(now, want) {
				t.Errorf("%s is not in\n%s", want, now)
			}
		}
		if d := b.get("filled").Document; d.Metadata.Title != "Filled in" {
			t.Errorf("the last good one is not kept: %+v", d.Metadata)
		}
	})
}

// What is in another repository is brought where the space may read it, and brought again when it is pushed.
func TestPlaceholdersBringFromOtherRepositories(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		carol, olga := accesstest.As("carol"), accesstest.As("olga")
		pages := map[string]string{"https://github.com/acme/texts": "team/texts", "https://github.com/acme/secret": "ops/secret"}
		b.Read(paged{b.repositories.Platform(), pages})
		b.repository(carol, "lab", "team/shop")
		b.repository(carol, "lab", "team/texts")
		b.repository(olga, "ops", "ops/secret")
		b.push(olga, "ops/secret", map[string]string{"words": "nobody else's"})
		b.push(carol, "team/texts", map[string]string{"words": "one", "raw": "as it is"})
		b.push(carol, "team/shop", map[string]string{
			"catalog-info.yaml": component("a", "text: {$text: 'https://github.com/acme/texts/blob/main/words'}, raw: {$text: 'https://raw.githubusercontent.com/acme/texts/main/raw'}, own: {$text: '/git/team/shop/own'}") +
				component("b", "text: {$text: 'https://github.com/acme/secret/blob/main/words'}") +
				component("c", "text: {$text: 'http://169.254.169.254/latest/meta-data'}") +
				component("d", "text: {$text: '/git/ops/secret/words'}"),
			"own": "its own",
		})
		l := b.location(carol, "lab", "team/shop", "")
		if _, err := b.Get(carol, parseRef(t, "a")); err != nil {
			t.Fatal(l.Error, details(l))
		}
		spec := b.get("a").Document.Spec
		if spec["text"] != "one" || spec["raw"] != "as it is" || spec["own"] != "its own" {
			t.Errorf("brought %v; %s", spec, details(l))
		}
		for _, want := range []string{`"https://github.com/acme/secret/blob/main/words" is in no repository that is connected and that space lab may read`,
			"169.254.169.254 is a private address", "there is no repository ops/secret that space lab may read"} {
			if !strings.Contains(details(l), want) {
				t.Errorf("%s is not in\n%s", want, details(l))
			}
		}
		for _, name := range []string{"b", "c", "d"} {
			b.gone(carol, name)
		}
		before := b.again(l).Commit
		b.follow(func() { b.push(carol, "team/texts", map[string]string{"words": "two"}) })
		if got := b.get("a").Document.Spec["text"]; got != "two" || b.again(l).Commit != before {
			t.Errorf("after the push of the other repository: %v", got)
		}
		// Without the placeholder the other repository means nothing any more.
		b.follow(func() { b.push(carol, "team/shop", map[string]string{"catalog-info.yaml": component("a", "")}) })
		version := b.get("a").Version
		b.push(carol, "team/texts", map[string]string{"words": "three"})
		b.follow(func() { b.push(carol, "team/shop", map[string]string{"other": "x"}) })
		if e := b.get("a"); e.Version != version || e.Document.Spec["text"] != nil {
			t.Errorf("it is still brought: %d, %v", e.Version, e.Document.Spec)
		}
	})
}

// As with Backstage's plugin for them, descriptions of APIs bring what they refer to, and follow it.
func TestDescriptionsOfAPIsBringWhatTheyReferTo(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		carol, olga := accesstest.As("carol"), accesstest.As("olga")
		b.Read(paged{b.repositories.Platform(), map[string]string{"https://github.com/acme/texts": "team/texts", "https://github.com/acme/secret": "ops/secret"}})
		b.repository(carol, "lab", "team/shop")
		b.repository(carol, "lab", "team/texts")
		b.repository(olga, "ops", "ops/secret")
		b.push(olga, "ops/secret", map[string]string{"pet.yaml": "secret: true"})
		b.push(carol, "team/texts", map[string]string{"schemas/pet.yaml": "properties: {owner: {$ref: ../owner.yaml}}", "owner.yaml": "type: string"})
		api := func(name, how, file string) string {
			return "---\n{apiVersion: backstage.io/v1alpha1, kind: API, metadata: {name: " + name + "}, spec: {type: openapi, lifecycle: production, owner: team, definition: {$" + how + ": " + file + "}}}\n"
		}
		b.push(carol, "team/shop", map[string]string{
			"catalog-info.yaml":   api("pets", "openapi", "./api/openapi.yaml") + api("events", "asyncapi", "./events.json") + api("plain", "text", "./api/openapi.yaml") + api("hidden", "openapi", "./hidden.yaml") + api("lost", "openapi", "./lost.yaml"),
			"api/openapi.yaml":    "openapi: 3.1.0\npaths:\n  /pets:\n    $ref: ./paths/pets.yaml\n  /cats:\n    $ref: ./paths/pets.yaml\n",
			"api/paths/pets.yaml": "get:\n  pet: {$ref: 'https://github.com/acme/texts/blob/main/schemas/pet.yaml'}\n  own: {$ref: '/shared.yaml#/defs/Own'}\n",
			"shared.yaml":         "defs: {Own: {type: integer}}",
			"events.json":         `{"asyncapi": "3.0.0", "channels": {"a": {"$ref": "channel.json"}}}`,
			"channel.json":        `{"address": "a"}`,
			"hidden.yaml":         "openapi: 3.1.0\nx: {$ref: 'https://github.com/acme/secret/blob/main/pet.yaml'}\n",
			"lost.yaml":           "openapi: 3.1.0\nx: {$ref: ../../etc/passwd}\ny: {$ref: none.yaml}\n",
		})
		l := b.location(carol, "lab", "team/shop", "")
		definition := func(name string) string {
			text, _ := b.get("api:" + name).Document.Spec["definition"].(string)
			return text
		}
		const pets = "openapi: 3.1.0\npaths:\n  /pets:\n    get:\n      pet:\n        properties:\n          owner:\n            type: string\n      own:\n        type: integer\n  /cats:\n    $ref: \"#/paths/~1pets\"\n"
		if got := definition("pets"); got != pets {
			t.Errorf("pets are\n%s\n%s", got, details(l))
		}
		if got := definition("events"); !strings.Contains(got, "\"a\":\n    \"address\": \"a\"\n") {
			t.Errorf("events are\n%s", got)
		}
		if got := definition("plain"); !strings.Contains(got, "$ref: ./paths/pets.yaml") {
			t.Errorf("the text is\n%s", got)
		}
		for _, want := range []string{
			`hidden.yaml:2:11: the $ref "https://github.com/acme/secret/blob/main/pet.yaml": "https://github.com/acme/secret/blob/main/pet.yaml" is in no repository that is connected and that space lab may read`,
			`lost.yaml:2:11: the $ref "../../etc/passwd": "../../etc/passwd" is not a file of this repository`, `lost.yaml:3:11: the $ref "none.yaml": there is no file none.yaml`,
		} {
			if !strings.Contains(details(l), want) {
				t.Errorf("%s is not in\n%s", want, details(l))
			}
		}
		b.gone(carol, "api:hidden")
		b.gone(carol, "api:lost")

		// What they refer to is followed, wherever it is, and also when it comes later.
		b.follow(func() {
			b.push(carol, "team/shop", map[string]string{"shared.yaml": "defs: {Own: {type: number}}", "lost.yaml": "openapi: 3.1.0\ny: {$ref: none.yaml}\n", "none.yaml": "late: true"})
		})
		b.follow(func() { b.push(carol, "team/texts", map[string]string{"owner.yaml": "type: boolean"}) })
		if got := definition("pets"); got != strings.NewReplacer("string", "boolean", "integer", "number").Replace(pets) {
			t.Errorf("after the pushes pets are\n%s\n%s", got, details(b.again(l)))
		}
		if got := definition("lost"); !strings.Contains(got, "late: true") {
			t.Errorf("what came later is\n%s", got)
		}
	})
}
