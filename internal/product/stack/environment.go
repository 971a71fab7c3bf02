package stack

import (
	"fmt"
	"maps"
	"path"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Spacelift's prefixes of variables that not every step is given: a credential that only reads for what has not been
// reviewed, one that writes for what has.
const (
	readOnly  = "ro_" // all steps but the one that applies
	writeOnly = "wo_" // the one that applies
)

// spacelift gives what a run tells of itself under the names that Spacelift gives it, so that configurations which
// declare these variables find them; and the same beside the platform's other names.
func spacelift(r *run.Run, in Input) map[string]string {
	id := stackID(in.Stack)
	branch := strings.TrimPrefix(r.Source.Ref, "refs/heads/")
	list := make([]string, len(in.Given.Labels))
	for i, l := range in.Given.Labels {
		list[i] = fmt.Sprintf("%q", l)
	}
	all := map[string]string{
		"TF_VAR_spacelift_account_name":      "roadbed",
		"TF_VAR_spacelift_commit_branch":     branch,
		"TF_VAR_spacelift_commit_sha":        r.Source.Commit,
		"TF_VAR_spacelift_local_preview":     fmt.Sprint(in.Local),
		"TF_VAR_spacelift_project_root":      in.Path,
		"TF_VAR_spacelift_repository":        r.Source.Repository,
		"TF_VAR_spacelift_run_id":            r.ID,
		"TF_VAR_spacelift_run_state":         "PLANNING", // of the apply too: OpenTofu refuses another value than its plan has
		"TF_VAR_spacelift_run_trigger":       r.Actor,
		"TF_VAR_spacelift_run_type":          typeInput(in.Type),
		"TF_VAR_spacelift_space_id":          r.Space,
		"TF_VAR_spacelift_stack_branch":      branch,
		"TF_VAR_spacelift_stack_id":          id,
		"TF_VAR_spacelift_stack_labels":      strings.Join(in.Given.Labels, ","),
		"TF_VAR_spacelift_stack_labels_list": "[" + strings.Join(list, ",") + "]",
		"TF_VAR_spacelift_workspace_root":    execute.WorkDir,

		"ROADBED_RUN_TYPE":     in.Type,
		"ROADBED_BRANCH":       branch,
		"ROADBED_REPOSITORY":   r.Source.Repository,
		"ROADBED_PROJECT_ROOT": in.Path,
	}
	for name, value := range terraformCloud(r, in) {
		all[name], all["TF_VAR_"+name] = value, value
	}
	return all
}

// terraformCloud gives what a run tells of itself under the names that HCP Terraform gives it, as the remote protocol
// shows it: an organization is a space, a workspace a stack.
func terraformCloud(r *run.Run, in Input) map[string]string {
	_, name, _ := strings.Cut(stackName(in.Stack), "/")
	branch, tag := strings.TrimPrefix(r.Source.Ref, "refs/heads/"), ""
	if rest, ok := strings.CutPrefix(r.Source.Ref, "refs/tags/"); ok {
		branch, tag = "", rest
	}
	return map[string]string{
		"TFC_RUN_ID":                               strings.Replace(r.ID, "run_", "run-", 1),
		"TFC_WORKSPACE_NAME":                       name,
		"TFC_WORKSPACE_SLUG":                       r.Space + "/" + name,
		"TFC_PROJECT_NAME":                         "Default Project",
		"TFC_CONFIGURATION_VERSION_GIT_BRANCH":     branch,
		"TFC_CONFIGURATION_VERSION_GIT_COMMIT_SHA": r.Source.Commit,
		"TFC_CONFIGURATION_VERSION_GIT_TAG":        tag,
	}
}

// stackID gives a stack's name as Spacelift's slug, with its namespace where that is not the usual one.
func stackID(reference string) string {
	return strings.TrimPrefix(stackName(reference), ref.DefaultNamespace+"/")
}

// give gives a job the environment and the files of its run. What writes gets what is for writing.
func (in Input) give(r *run.Run, job *worker.Job, writing bool) {
	job.SecretEnv = map[string]string{}
	in.identify(r, job, writing)
	told := spacelift(r, in)
	mine, others := readOnly, writeOnly
	if writing {
		mine, others = writeOnly, readOnly
	}
	for name := range in.names() {
		delete(job.Env, name)
	}
	maps.Copy(job.Env, told)
	set := func(name, value, secret string) {
		if oddInput(name) { // it comes as a file, see unshelled
			return
		}
		delete(job.SecretEnv, name)
		if secret == "" {
			job.Env[name] = value
			return
		}
		delete(job.Env, name)
		job.SecretEnv[name] = secret
	}
	for _, prefix := range []string{"", mine} { // what has its prefix is the nearer one
		each := func(name, value, secret string) {
			if rest, ok := strings.CutPrefix(name, prefix); ok && (prefix != "" || !strings.HasPrefix(name, mine) && !strings.HasPrefix(name, others)) {
				set(rest, value, secret)
			}
		}
		for name, value := range in.Env {
			each(name, value, "")
		}
		for name, secret := range in.SecretEnv {
			each(name, "", secret)
		}
	}
	for k, v := range in.Variables {
		set("TF_VAR_"+k, variable(v), "")
	}
	if len(job.SecretEnv) == 0 {
		job.SecretEnv = nil
	}
	job.AddMasks = in.Given.hooked(Phases()...)
	if writing || len(in.Given.Files) == 0 { // they are there already
		return
	}
	files := make([]worker.File, len(in.Given.Files), len(in.Given.Files)+len(job.Files))
	for i, f := range in.Given.Files {
		files[i] = worker.File{Path: f.Path, Blob: f.Digest, Secret: f.SecretRef, Mode: 0o600}
	}
	job.Files = append(files, job.Files...) // the platform's come last
}

// names gives what the run's own variables are called in some step.
func (in Input) names() map[string]bool {
	all := map[string]bool{}
	for _, m := range []map[string]string{in.Env, in.SecretEnv} {
		for name := range m {
			all[bare(name)] = true
		}
	}
	return all
}

// bare gives the name under which a step sees a variable.
func bare(name string) string {
	for _, prefix := range []string{readOnly, writeOnly} {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			return rest
		}
	}
	return name
}

// checkVariables tells what is wrong with variables of an environment, by their number.
func checkVariables(all []Variable, bad func(message, hint string, at ...string)) {
	if len(all) > mostVariables {
		bad(fmt.Sprintf("%d variables are too many", len(all)), fmt.Sprintf("write at most %d", mostVariables))
		return
	}
	for i, v := range all {
		at := fmt.Sprint(i)
		switch {
		case oddInput(v.Name) && v.SecretRef == "":
			if len(v.Value) > mostValue || strings.ContainsRune(v.Value, 0) {
				bad(fmt.Sprintf("has %d bytes, or a zero byte in it; a variable has at most %d", len(v.Value), mostValue), "mount a file instead", at, "value")
			}
		case !variableName.MatchString(v.Name) || !variableName.MatchString(bare(v.Name)):
			bad(fmt.Sprintf("%q is not the name of a variable", v.Name), "letters, digits and _", at, "name")
		case isReserved(bare(v.Name)):
			bad(fmt.Sprintf("%s is set by the platform", v.Name), "choose another name", at, "name")
		case v.SecretRef != "" && v.Value != "":
			bad("has both value and secretRef", "keep one of them", at)
		case v.SecretRef != "" && !secretRef.MatchString(v.SecretRef):
			bad(fmt.Sprintf("%q is not a secret", v.SecretRef), "write SPACE/NAME", at, "secretRef")
		case len(v.Value) > mostValue || strings.ContainsRune(v.Value, 0):
			bad(fmt.Sprintf("has %d bytes, or a zero byte in it; a variable has at most %d", len(v.Value), mostValue), "mount a file instead", at, "value")
		default:
			if wrong, hint := arguments(v); wrong != "" {
				bad(wrong, hint, at, "value")
			}
		}
	}
}

const (
	mostVariables = 200
	mostValue     = 32 << 10 // bytes
)

// harmless are the options that a variable TF_CLI_ARGS_… may give to a command: none that has it do other work, use
// another state or backend, or run programs of the repository.
var harmless = map[string][]string{
	"TF_CLI_ARGS_init":  {"-upgrade", "-lockfile", "-var", "-var-file", "-compact-warnings", "-concise"},
	"TF_CLI_ARGS_plan":  {"-parallelism", "-refresh", "-var", "-var-file", "-target", "-exclude", "-replace", "-lock-timeout", "-compact-warnings", "-concise", "-show-sensitive"},
	"TF_CLI_ARGS_apply": {"-parallelism", "-compact-warnings", "-concise"},
}

// arguments tells why a variable may not give its arguments to the engine; "" when it may, or gives none.
func arguments(v Variable) (wrong, hint string) {
	name := bare(v.Name)
	if !strings.HasPrefix(name, "TF_CLI_ARGS") {
		return "", ""
	}
	options, ok := harmless[name]
	if !ok {
		return name + " can't be set", "write TF_CLI_ARGS_init, TF_CLI_ARGS_plan or TF_CLI_ARGS_apply"
	}
	if v.SecretRef != "" {
		return "the arguments of an engine can't be a secret", "write a value, and the secret as TF_VAR_NAME"
	}
	takes := false // a value comes as the next word
	for _, word := range strings.Fields(v.Value) {
		if takes && !strings.HasPrefix(word, "-") {
			takes = false
			continue
		}
		option, _, has := strings.Cut(word, "=")
		option = "-" + strings.TrimLeft(strings.Trim(option, `"'`), "-")
		known := false
		for _, o := range options {
			known = known || o == option
		}
		if !known || !strings.HasPrefix(strings.Trim(word, `"'`), "-") {
			return fmt.Sprintf("%s can't have %s", name, word), "it takes " + strings.Join(options, ", ") + ", each as -OPTION=VALUE without spaces"
		}
		takes = !has && (option == "-var" || option == "-var-file" || option == "-target" || option == "-exclude" || option == "-replace" || option == "-parallelism")
	}
	return "", ""
}

// File is a file that steps find in their workspace.
type File struct {
	Path      string `json:"path"` // below the workspace; source/ is the repository
	Content   string `json:"content,omitempty"`
	SecretRef string `json:"secretRef,omitempty"` // SPACE/NAME
}

// Bounds of mounted files.
const (
	mostFiles     = 100
	mostFileBytes = 2 << 20 // of all that a run is given; Spacelift's
)

// checkFiles tells what is wrong with mounted files, by their number.
func checkFiles(all []File, bad func(message, hint string, at ...string)) {
	if len(all) > mostFiles {
		bad(fmt.Sprintf("%d files are too many", len(all)), fmt.Sprintf("write at most %d", mostFiles))
		return
	}
	size, seen := 0, map[string]bool{}
	for i, f := range all {
		at := fmt.Sprint(i)
		size += len(f.Content)
		clean := path.Clean(f.Path)
		switch {
		case f.Path == "" || path.IsAbs(f.Path) || clean != f.Path || clean == "." || clean == ".." || strings.HasPrefix(clean, "../") || len(f.Path) > 500 || strings.ContainsAny(f.Path, "\x00\n\\"):
			bad(fmt.Sprintf("%q is not a path within the workspace", f.Path), "write a path such as source/backend.tfvars or kubeconfig, without .. and a / at its beginning", at, "path")
		case isOurs(f.Path):
			bad(f.Path+" is a file of the platform", "choose another name", at, "path")
		case seen[f.Path]:
			bad(f.Path+" is there twice", "keep one of them", at, "path")
		case f.SecretRef != "" && f.Content != "":
			bad("has both content and secretRef", "keep one of them", at)
		case f.SecretRef != "" && !secretRef.MatchString(f.SecretRef):
			bad(fmt.Sprintf("%q is not a secret", f.SecretRef), "write SPACE/NAME", at, "secretRef")
		}
		seen[f.Path] = true
	}
	if size > mostFileBytes {
		bad(fmt.Sprintf("%d bytes of files are too many", size), fmt.Sprintf("at most %d are mounted; fetch larger ones in a hook", mostFileBytes))
	}
}

// isOurs tells whether a path of the workspace is the platform's: what an engine keeps, its plan, and what keeps its
// state here.
func isOurs(p string) bool {
	first, rest, below := strings.Cut(p, "/")
	switch first {
	case "engine", "engine.rc", "plan.bin", "plan.json", "infracost.json", "alone", outputAfresh, outputLinks, outputInit, outputModules, "engine.lock", "engine.said", "applied", "why", "engine-is", "roadbed.oidc", "lost", "errored", "errored.tfstate":
		return true
	case "source":
		if !below {
			return true
		}
	}
	switch path.Base(rest) {
	case "roadbed_backend_override.tf.json", "errored.tfstate":
		return true
	}
	return false
}
