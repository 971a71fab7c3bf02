package workflow

import (
	"maps"
	"strconv"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// verdict is what becomes of a field of Argo's that this engine doesn't have.
type verdict struct {
	refused bool   // else it is left out with a warning, since the outcome is the same without it
	hint    string // what to do instead, or why nothing is lost
}

func refuse(hint string) verdict { return verdict{true, hint} }
func ignore(hint string) verdict { return verdict{false, hint} }

const (
	noPods      = "steps are isolated processes, not pods"
	noVolumes   = "keep files between steps by artifacts, and caches by the annotation " + AnnotationCaches
	noStorage   = "pass artifacts from step to step by from, or give them as raw; the platform stores them"
	noHooks     = "only the hook exit is supported"
	parentKeeps = "the platform keeps runs by its own rules"
)

// The fields of each part of a document that are known to Argo and not supported here. docs/reference/workflow-support.md
// is made of the same tables.
var (
	specFields = map[string]verdict{
		"affinity": ignore(noPods), "archiveLogs": ignore("logs are always kept"), "artifactGC": ignore(parentKeeps),
		"artifactRepositoryRef": ignore("the platform stores artifacts"), "automountServiceAccountToken": ignore(noPods),
		"dnsConfig": ignore(noPods), "dnsPolicy": ignore(noPods), "executor": ignore(noPods), "hostAliases": ignore(noPods),
		"hostNetwork": ignore("ask for the network by the annotation " + AnnotationNetwork), "imagePullSecrets": ignore("images are not pulled"),
		"metrics": ignore("the platform measures runs by itself"), "nodeSelector": ignore(noPods), "podDisruptionBudget": ignore(noPods),
		"podGC": ignore(noPods), "podMetadata": ignore(noPods), "podPriority": ignore(noPods), "podPriorityClassName": ignore(noPods), "podResources": ignore(noPods),
		"podSpecPatch": refuse("say what the steps need in their templates"), "resourceClaims": ignore(noPods), "retryStrategy": refuse("give each template its retryStrategy"),
		"schedulerName": ignore(noPods), "securityContext": ignore("steps never have more rights than an unprivileged process"),
		"serviceAccountName": ignore("a step's rights are those of " + AnnotationScopes), "shutdown": refuse("cancel the run"),
		"suspend": refuse("begin with a suspend template"), "synchronization": refuse("locks across workflows are not supported"),
		"tolerations": ignore(noPods), "ttlStrategy": ignore(parentKeeps), "volumeClaimGC": ignore(noPods),
		"volumeClaimTemplates": refuse(noVolumes), "volumes": refuse(noVolumes), "workflowMetadata": ignore("runs are found by their subject, commit and author"),
	}
	templateFields = map[string]verdict{
		"affinity": ignore(noPods), "annotations": ignore(noPods), "archiveLocation": ignore("the platform stores artifacts"), "automountServiceAccountToken": ignore(noPods),
		"containerSet": refuse("write a dag of containers"), "daemon": refuse("start the service within the step that needs it"),
		"data": refuse("list and transform in a script"), "executor": ignore(noPods), "hostAliases": ignore(noPods),
		"http": refuse("call the address from a script"), "initContainers": refuse("do it in a step before"),
		"memoize": refuse("use a cache, by the annotation " + AnnotationCaches), "metrics": ignore("the platform measures steps by itself"),
		"nodeSelector": ignore(noPods), "podResources": ignore(noPods), "podSpecPatch": refuse("say what the step needs in its template"),
		"priority": ignore(noPods), "priorityClassName": ignore(noPods), "resource": refuse("objects are declared in an Application, which delivery applies"),
		"resourceClaims": ignore(noPods), "schedulerName": ignore(noPods), "securityContext": ignore("a step never has more rights than an unprivileged process"),
		"serviceAccountName": ignore("a step's rights are those of " + AnnotationScopes), "sidecars": refuse("start what is needed within the step"),
		"synchronization": refuse("locks across workflows are not supported; parallelism limits one template"), "tolerations": ignore(noPods), "volumes": refuse(noVolumes),
	}
	containerFields = map[string]verdict{
		"envFrom": refuse("name each variable in env"), "imagePullPolicy": ignore("images are not pulled"), "lifecycle": refuse("do it in the command"),
		"livenessProbe": ignore(noPods), "name": ignore("the template's name is used"), "ports": ignore("nothing reaches into a step"),
		"readinessProbe": ignore(noPods), "securityContext": ignore("a step never has more rights than an unprivileged process"), "startupProbe": ignore(noPods),
		"stdin": refuse("write the input into a file"), "stdinOnce": refuse("write the input into a file"), "terminationMessagePath": ignore(noPods),
		"terminationMessagePolicy": ignore(noPods), "tty": ignore("logs are not a terminal"), "resizePolicy": ignore(noPods), "restartPolicy": ignore(noPods),
		"volumeDevices": refuse(noVolumes), "volumeMounts": refuse(noVolumes),
	}
	resourceFields = map[string]verdict{"claims": ignore(noPods)}
	envFields      = map[string]verdict{
		"configMapKeyRef": refuse("give the value, or a parameter"), "fieldRef": refuse("use ROADBED_RUN and its like, or a tag such as {{workflow.name}}"),
		"resourceFieldRef": refuse("give the value"), "fileKeyRef": refuse("give the value"),
	}
	secretFields    = map[string]verdict{"optional": refuse("a secret that is named must exist")}
	parameterFields = map[string]verdict{"globalName": refuse("put the value out by the outputs of each template on the way")}
	valueFromFields = map[string]verdict{
		"configMapKeyRef": refuse("give the value as an argument"), "event": refuse("a Trigger gives arguments"), "jqFilter": refuse("filter in a script"),
		"jsonPath": refuse("use an expression with jsonpath"), "supplied": refuse("ask for the value before, as an argument"),
	}
	artifactFields = map[string]verdict{
		"artifactGC": ignore(parentKeeps), "artifactory": refuse(noStorage), "azure": refuse(noStorage), "deleted": ignore(parentKeeps), "fromExpression": refuse("use from"),
		"gcs": refuse(noStorage), "git": refuse("check the run's repository out by the annotation " + AnnotationCheckout), "globalName": refuse("put the artifact out by the outputs of each template on the way"),
		"hdfs": refuse(noStorage), "http": refuse("fetch it in a script"), "oss": refuse(noStorage), "plugin": refuse(noStorage), "recurseMode": ignore("modes are kept"),
		"s3": refuse(noStorage), "subPath": refuse("take the part out in a script"), "artifactType": ignore("the kind is found"),
	}
	taskFields        = map[string]verdict{}
	templateRefFields = map[string]verdict{"clusterScope": ignore("a WorkflowTemplate of a space above is seen below")}
	retryFields       = map[string]verdict{
		"expression": refuse("use retryPolicy"), "affinity": ignore(noPods),
	}
)

// sieve takes the unsupported fields out of a document, so that what is left can be decoded strictly.
type sieve struct {
	d                document.Document
	refused, ignored []fault.Detail
}

func (s *sieve) pass(m map[string]any, table map[string]verdict, at ...string) {
	for _, key := range sortedKeys(m) {
		v, listed := table[key]
		if !listed {
			continue
		}
		path := join(at, key)
		if v.refused {
			s.refused = append(s.refused, s.d.At(key+" is not supported", v.hint, path...))
		} else {
			s.ignored = append(s.ignored, s.d.At(key+" has no effect here", v.hint, path...))
		}
		delete(m, key)
	}
}

func join(at []string, more ...string) []string {
	return append(append(make([]string, 0, len(at)+len(more)), at...), more...)
}

// each calls fn for the mappings of a list.
func each(list any, at []string, fn func(m map[string]any, at []string)) {
	items, _ := list.([]any)
	for i, item := range items {
		if m, ok := item.(map[string]any); ok {
			fn(m, join(at, strconv.Itoa(i)))
		}
	}
}

// child gives a mapping within a mapping, or nil.
func child(m map[string]any, key string) map[string]any {
	c, _ := m[key].(map[string]any)
	return c
}

func (s *sieve) spec(spec map[string]any) {
	at := []string{"spec"}
	s.pass(spec, specFields, at...)
	s.values(child(spec, "arguments"), join(at, "arguments"))
	s.hooks(spec, at)
	if ref := child(spec, "workflowTemplateRef"); ref != nil {
		s.pass(ref, templateRefFields, join(at, "workflowTemplateRef")...)
	}
	if defaults := child(spec, "templateDefaults"); defaults != nil {
		s.template(defaults, join(at, "templateDefaults"))
		each(spec["templates"], nil, func(t map[string]any, _ []string) { fillIn(t, defaults) })
		delete(spec, "templateDefaults")
	}
	each(spec["templates"], join(at, "templates"), s.template)
}

// fillIn gives a template what the defaults say and it does not. What kind of template it is stays its own.
func fillIn(t, defaults map[string]any) {
	for key, value := range defaults {
		switch key {
		case "name", "dag", "steps", "suspend", "plugin", "inputs", "outputs":
			continue
		case "timeout", "activeDeadlineSeconds":
			if t["container"] == nil && t["script"] == nil {
				continue
			}
		case "container", "script":
			if t[key] == nil {
				continue
			}
		case "retryStrategy":
			if t["suspend"] != nil {
				continue
			}
		}
		have, isMap := t[key].(map[string]any)
		more, both := value.(map[string]any)
		switch {
		case t[key] == nil:
			t[key] = value
		case isMap && both:
			merged := maps.Clone(more)
			maps.Copy(merged, have)
			t[key] = merged
		}
	}
}

func (s *sieve) template(t map[string]any, at []string) {
	s.pass(t, templateFields, at...)
	for _, part := range []string{"inputs", "outputs"} {
		s.values(child(t, part), join(at, part))
	}
	for _, part := range []string{"container", "script"} {
		s.container(child(t, part), join(at, part))
	}
	if retry := child(t, "retryStrategy"); retry != nil {
		s.pass(retry, retryFields, join(at, "retryStrategy")...)
	}
	each(child(t, "dag")["tasks"], join(at, "dag", "tasks"), s.task)
	groups, _ := t["steps"].([]any)
	for i, group := range groups {
		each(group, join(at, "steps", strconv.Itoa(i)), s.task)
	}
}

func (s *sieve) container(c map[string]any, at []string) {
	if c == nil {
		return
	}
	s.pass(c, containerFields, at...)
	if r := child(c, "resources"); r != nil {
		s.pass(r, resourceFields, join(at, "resources")...)
	}
	each(c["env"], join(at, "env"), func(v map[string]any, at []string) {
		from := child(v, "valueFrom")
		if from == nil {
			return
		}
		s.pass(from, envFields, join(at, "valueFrom")...)
		if ref := child(from, "secretKeyRef"); ref != nil && ref["optional"] != false {
			s.pass(ref, secretFields, join(at, "valueFrom", "secretKeyRef")...)
		}
	})
}

// values sieves the parameters and artifacts of inputs, outputs or arguments.
func (s *sieve) values(m map[string]any, at []string) {
	if m == nil {
		return
	}
	each(m["parameters"], join(at, "parameters"), func(p map[string]any, at []string) {
		s.pass(p, parameterFields, at...)
		if from := child(p, "valueFrom"); from != nil {
			s.pass(from, valueFromFields, join(at, "valueFrom")...)
		}
	})
	each(m["artifacts"], join(at, "artifacts"), func(a map[string]any, at []string) { s.pass(a, artifactFields, at...) })
}

func (s *sieve) task(t map[string]any, at []string) {
	s.pass(t, taskFields, at...)
	s.values(child(t, "arguments"), join(at, "arguments"))
	s.hooks(t, at)
	if ref := child(t, "templateRef"); ref != nil {
		s.pass(ref, templateRefFields, join(at, "templateRef")...)
	}
	if inline := child(t, "inline"); inline != nil {
		s.template(inline, join(at, "inline"))
	}
}

func (s *sieve) hooks(m map[string]any, at []string) {
	hooks := child(m, "hooks")
	for _, name := range sortedKeys(hooks) {
		here := join(at, "hooks", name)
		hook := child(hooks, name)
		if name != "exit" || hook["expression"] != nil {
			s.refused = append(s.refused, s.d.At("hook "+name+" is not supported", noHooks, here...))
			delete(hooks, name)
			continue
		}
		s.values(child(hook, "arguments"), join(here, "arguments"))
		if ref := child(hook, "templateRef"); ref != nil {
			s.pass(ref, templateRefFields, join(here, "templateRef")...)
		}
	}
}
