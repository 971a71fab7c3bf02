package workflow

import (
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// AnnotationOIDC asks for a token by which a cloud knows the step (OpenID Connect); it is the audience, such as
// sts.amazonaws.com.
const AnnotationOIDC = "roadbed.dev/oidc-audience"

const maxAudience = 500 // bytes

func checkAudience(text string) error {
	if len(text) > maxAudience || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return fault.Errorf(fault.Invalid, "%q can't be an audience; write what the cloud expects, such as sts.amazonaws.com", clip(text, 80))
	}
	return nil
}

// identify asks for the token of a step. It says where what the step does is from, as far as somebody vouches for that: the
// repository and the ref to which it was pushed, the WorkflowTemplate of the catalog, or nobody but who submitted it. The
// repository that somebody names who submits a document says nothing of the document, and a template of the catalog does
// not vouch for the files of a repository that somebody else names.
func (b *jobBuilder) identify(w wishes) {
	if w.audience == "" {
		return
	}
	r, subject := b.run, "space:"+b.run.Space
	claims := map[string]string{"run_type": RunKind}
	switch {
	case b.plan.Limited && (b.plan.Catalog == "" || b.takesFiles(w)):
		subject += ":submitted:" + r.Actor
		claims["submitted"] = r.Actor
	case b.plan.Catalog != "":
		subject += ":workflow:" + b.plan.Catalog
		claims["workflow"] = b.plan.Catalog
	default:
		subject += ":repository:" + r.Source.Repository + ":ref:" + r.Source.Ref
		claims["repository"], claims["ref"], claims["commit"] = r.Source.Repository, r.Source.Ref, r.Source.Commit
	}
	b.job.IDToken = &worker.IDToken{Audience: w.audience, Subject: subject + ":run_type:" + RunKind, Claims: claims}
}

// takesFiles tells whether a step takes files that may be the submitter's where they chose the repository: its own, those
// that another step made of it, or those that other runs of theirs left in a cache.
func (b *jobBuilder) takesFiles(w wishes) bool {
	if w.checkout != "" || len(w.caches) > 0 {
		return true
	}
	for _, a := range b.start.Inputs.Artifacts {
		if !a.IsRaw {
			return true
		}
	}
	return false
}
