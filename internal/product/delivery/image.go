package delivery

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"regexp"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// PluginDeployImage is the NAME of the pipeline's plugin roadbed/NAME that commits a new image.
const PluginDeployImage = "deploy-image"

// Image is what the plugin is told: in which file an image is set to which digest.
type Image struct {
	File   string `json:"file"`
	Image  string `json:"image"`  // NAMESPACE/NAME or registry.local/NAMESPACE/NAME, without tag or digest
	Digest string `json:"digest"` // sha256:…
}

var digestPattern = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// CheckDeployImage says what is wrong with the plugin's arguments before a pipeline runs; tags stand where values come.
func CheckDeployImage(args json.RawMessage) error {
	in, err := decodeImage(args)
	if err != nil {
		return err
	}
	if strings.Contains(in.Digest, "{{") {
		in.Digest = "sha256:" + strings.Repeat("0", 64)
	}
	if strings.Contains(in.Image+in.File, "{{") {
		return nil
	}
	return in.check()
}

func decodeImage(raw json.RawMessage) (in Image, err error) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&in); err != nil {
		return in, fault.Errorf(fault.Invalid, "roadbed/deploy-image takes file, image and digest: %w", err)
	}
	in.Image = strings.TrimPrefix(in.Image, RegistryHost+"/")
	in.Digest = strings.TrimSpace(in.Digest)
	return in, nil
}

// DeployImage commits a new image into the run's repository, as the platform itself. A push by the platform starts
// no pipeline. When the branch has moved on past the run's commit, nothing is done: the newer commit's own pipeline
// will. Doing it twice finds the image in place.
func (s *Service) DeployImage(ctx context.Context, l worker.Lease, log io.Writer) (worker.Result, error) {
	var call struct {
		Args json.RawMessage `json:"args"`
	}
	if err := json.Unmarshal(l.Job.Input, &call); err != nil {
		return worker.Result{}, fault.Wrap(err, "read the plugin's call")
	}
	in, err := decodeImage(call.Args)
	if err == nil {
		err = in.check()
	}
	if err != nil {
		return refused(log, err)
	}
	var r run.Run
	if err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		r, err = s.Runs.GetTx(ctx, tx, l.Run)
		return err
	}); err != nil {
		return worker.Result{}, err
	}
	branch, ok := strings.CutPrefix(r.Source.Ref, "refs/heads/")
	if !ok || r.Source.Repository == "" {
		return refused(log, fault.Errorf(fault.Invalid, "this run has no branch to commit to; deploy-image works in a pipeline of a push"))
	}
	for range 5 { // another commit may come in between; look again
		result, err := s.setImage(ctx, r, branch, in, log)
		if !fault.Is(err, fault.Conflict) {
			if err != nil {
				return refused(log, err)
			}
			return result, nil
		}
	}
	return refused(log, fault.Errorf(fault.Conflict, "branch %s keeps moving; retry this step", branch))
}

func (in Image) check() error {
	switch {
	case !digestPattern.MatchString(in.Digest):
		return fault.Errorf(fault.Invalid, "roadbed/deploy-image: digest %q must be sha256: and 64 hexadecimal digits", in.Digest)
	case !localImage.MatchString(RegistryHost + "/" + in.Image):
		return fault.Errorf(fault.Invalid, "roadbed/deploy-image: image %q must be NAMESPACE/NAME", in.Image)
	case in.File == "" || path.IsAbs(in.File) || path.Clean(in.File) != in.File || strings.HasPrefix(in.File+"/", "../"):
		return fault.Errorf(fault.Invalid, "roadbed/deploy-image: file %q must be a path within the repository", in.File)
	}
	return nil
}

func (s *Service) setImage(ctx context.Context, r run.Run, branch string, in Image, log io.Writer) (worker.Result, error) {
	repository := r.Source.Repository
	head, err := s.Repositories.Head(ctx, repository, branch)
	if err != nil {
		return worker.Result{}, err
	}
	newer, err := s.movedOn(ctx, repository, head, r.Source.Commit)
	if err != nil {
		return worker.Result{}, err
	}
	if newer != "" {
		fmt.Fprintf(log, "%s has moved on to %s, whose own pipeline will deploy it\n", branch, short(newer))
		return worker.Result{Message: "a newer commit is there", Outputs: map[string]string{"commit": ""}}, nil
	}
	data, err := s.Repositories.ReadFile(ctx, repository, head, in.File, fileLimit)
	if err != nil {
		return worker.Result{}, fault.Wrap(err, "read %s", in.File)
	}
	image := RegistryHost + "/" + in.Image
	changed, found := replaceImage(data, image, image+"@"+in.Digest)
	if !found {
		return worker.Result{}, fault.Errorf(fault.Invalid, "%s names no image %s; add it to a container there", in.File, image)
	}
	if string(changed) == string(data) {
		fmt.Fprintf(log, "%s already deploys %s\n", in.File, in.Digest)
		return worker.Result{Outputs: map[string]string{"commit": head}}, nil
	}
	commit, err := s.Repositories.Commit(ctx, repository, git.CommitRequest{
		Branch: branch, Parent: head,
		Message: fmt.Sprintf("deploy: %s of %s\n\nBuilt by %s.\n", in.Image, short(r.Source.Commit), r.ID),
		Changes: []git.FileChange{{Path: in.File, Content: changed}},
	})
	if err != nil {
		return worker.Result{}, err
	}
	fmt.Fprintf(log, "%s is %s@%s as of %s\n", in.File, image, in.Digest, short(commit))
	return worker.Result{Message: "committed " + short(commit), Outputs: map[string]string{"commit": commit}}, nil
}

// lineage bounds how many commits of the platform in a row are looked through.
const lineage = 50

// movedOn gives the commit that people have put on top of another one, "" when there are only the platform's own.
func (s *Service) movedOn(ctx context.Context, repository, head, commit string) (string, error) {
	for range lineage {
		if head == commit {
			return "", nil
		}
		own, err := s.Repositories.IsPlatformCommit(ctx, repository, head)
		if err != nil || !own {
			return head, err
		}
		parents, err := s.Repositories.Parents(ctx, repository, head)
		if err != nil || len(parents) == 0 {
			return head, err
		}
		head = parents[0]
	}
	return head, nil
}

// replaceImage sets the image wherever it stands as the value of image, in YAML or JSON, and leaves the rest of the
// file as it is.
func replaceImage(data []byte, image, with string) (out []byte, found bool) {
	place := regexp.MustCompile(`(?m)((?:^|[{,])[ \t]*(?:-[ \t]+)*["']?image["']?[ \t]*:[ \t]*["']?)` + regexp.QuoteMeta(image) + `(?:[:@][^\s"',}\]]*)?(["']?(?:[\s,}\]]|$))`)
	found = place.Match(data)
	return place.ReplaceAll(data, []byte("${1}"+strings.ReplaceAll(with, "$", "$$")+"${2}")), found
}
