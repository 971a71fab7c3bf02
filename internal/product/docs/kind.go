package docs

import (
	"github.com/roadbed-dev/roadbed/internal/core/document"
)

// This room owns no kind of document: what documents of others say about their docs is in their annotations.
const (
	annotationDocs   = "backstage.io/techdocs-ref"         // dir: or url: and where
	annotationEntity = "backstage.io/techdocs-entity"      // those of another entity
	annotationPath   = "backstage.io/techdocs-entity-path" // the page of those with which this one's begin
	annotationSource = "backstage.io/source-location"      // what dir: is relative to, for a document that was applied
)

// things are the kinds that have docs beside the file that declares them without saying so. A README beside a list of users
// or policies is not theirs.
var things = map[string]bool{"component": true, "api": true, "system": true, "domain": true, "resource": true, "template": true, "product": true, "platform": true}

// says gives what a document says about its docs.
func says(d document.Document) (target, other string) {
	return d.Metadata.Annotations[annotationDocs], d.Metadata.Annotations[annotationEntity]
}
