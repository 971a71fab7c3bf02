package client

import "time"

// Module is a Terraform module that engines install by its address. GET /modules/{namespace}/{name} (module:read).
type Module struct {
	Ref         string   `json:"ref"`
	Namespace   string   `json:"namespace"`
	Name        string   `json:"name"`
	Space       string   `json:"space"`
	Owner       string   `json:"owner,omitempty"`
	Title       string   `json:"title,omitempty"`
	Description string   `json:"description,omitempty"`
	Address     string   `json:"address" doc:"HOST/SPACE/NAME/PROVIDER, as a configuration writes it."`
	Repository  string   `json:"repository"`
	Branch      string   `json:"branch"`
	Path        string   `json:"path,omitempty" doc:"Folder within the repository; absent for its root."`
	TagPrefix   string   `json:"tagPrefix,omitempty"`
	ShareWith   []string `json:"shareWith" doc:"Spaces that may use it, with those below them."`
	Labels      []string `json:"labels"`
	Latest      string   `json:"latest,omitempty" doc:"The greatest version that engines may choose."`
	Newest      string   `json:"newest,omitempty" doc:"The greatest version of all."`
	State       string   `json:"state,omitempty" doc:"Of the newest version: testing, ready or failed."`
	Versions    int      `json:"versions"`
	Error       string   `json:"error,omitempty" doc:"Why its repository could not be looked at."`
	Can         []string `json:"can,omitempty" doc:"What the caller may do with its versions: yank, test; of one module, not in lists."`
}

// ModuleVersion is a version of a module. GET /modules/{namespace}/{name}/versions.
type ModuleVersion struct {
	Version string    `json:"version"`
	State   string    `json:"state" doc:"testing, ready or failed"`
	Message string    `json:"message,omitempty" doc:"Why it failed."`
	Offered bool      `json:"offered" doc:"Engines may choose it: it is ready, and not yanked."`
	Tag     string    `json:"tag,omitempty" doc:"That made it; absent when the repository's configuration did."`
	Moved   string    `json:"moved,omitempty" doc:"Where its tag leads now, which is elsewhere; the version stays what it was."`
	Commit  string    `json:"commit"`
	Digest  string    `json:"digest,omitempty" doc:"Of its archive."`
	Size    int64     `json:"size" doc:"Of its archive, in bytes."`
	Files   int       `json:"files"`
	By      Actor     `json:"by"`
	Yanked  *Yanked   `json:"yanked,omitempty"`
	Created time.Time `json:"created"`
}

// Yanked says why and by whom a version was taken back.
type Yanked struct {
	Reason string    `json:"reason"`
	By     Actor     `json:"by"`
	Time   time.Time `json:"time"`
}

// ModuleVersionDetail is a version with what its files declare and how its tests went. GET
// /modules/{namespace}/{name}/versions/{version}.
type ModuleVersionDetail struct {
	ModuleVersion
	Tests      []ModuleTest `json:"tests"`
	Content    ModulePart   `json:"content"`
	Submodules []ModulePart `json:"submodules"`
	Examples   []string     `json:"examples" doc:"Folders."`
	Warnings   []string     `json:"warnings" doc:"Of what could not be read, or is not."`
}

// ModuleTest is a test of a version.
type ModuleTest struct {
	ID        string   `json:"id"`
	Name      string   `json:"name"`
	Root      string   `json:"root,omitempty" doc:"Folder within the module."`
	Negative  bool     `json:"negative,omitempty" doc:"It passes when it can't be applied."`
	DependsOn []string `json:"dependsOn,omitempty" doc:"Ids of tests."`
	State     string   `json:"state" doc:"waiting, running, passed, failed or skipped"`
	Reason    string   `json:"reason,omitempty"`
	Run       string   `json:"run,omitempty" doc:"For who may see runs of the module's space."`
}

// ModulePart is what one folder of a module declares.
type ModulePart struct {
	Path            string           `json:"path,omitempty" doc:"Absent for the module itself."`
	Readme          string           `json:"readme,omitempty" doc:"Markdown."`
	RequiredVersion string           `json:"requiredVersion,omitempty" doc:"Of the engine."`
	Inputs          []ModuleInput    `json:"inputs"`
	Outputs         []ModuleOutput   `json:"outputs"`
	Providers       []ModuleRequired `json:"providers"`
	Calls           []ModuleRequired `json:"calls" doc:"Modules that it uses."`
	Resources       []string         `json:"resources" doc:"TYPE.NAME"`
}

// ModuleInput is a variable of a module.
type ModuleInput struct {
	Name        string `json:"name"`
	Type        string `json:"type,omitempty"`
	Description string `json:"description,omitempty"`
	Default     string `json:"default,omitempty" doc:"As it is written; absent for one that is required."`
	Sensitive   bool   `json:"sensitive,omitempty"`
}

// ModuleOutput is an output of a module.
type ModuleOutput struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	Sensitive   bool   `json:"sensitive,omitempty"`
}

// ModuleRequired is a provider or a module that a module needs.
type ModuleRequired struct {
	Name    string `json:"name"`
	Source  string `json:"source,omitempty"`
	Version string `json:"version,omitempty" doc:"Which versions will do."`
}

// Provider is a Terraform provider that engines install by its address. GET /providers/{namespace}/{name} (provider:read).
type Provider struct {
	Ref         string        `json:"ref"`
	Namespace   string        `json:"namespace"`
	Name        string        `json:"name"`
	Space       string        `json:"space"`
	Type        string        `json:"type" doc:"The last part of its address."`
	Owner       string        `json:"owner,omitempty"`
	Title       string        `json:"title,omitempty"`
	Description string        `json:"description,omitempty"`
	Address     string        `json:"address" doc:"HOST/SPACE/TYPE, as a configuration writes it."`
	Keys        []ProviderKey `json:"keys" doc:"By which its versions may be signed."`
	ShareWith   []string      `json:"shareWith" doc:"Spaces that may use it, with those below them."`
	Can         []string      `json:"can,omitempty" doc:"What the caller may do with its versions: yank; of one provider, not in lists."`
}

// ProviderKey is a key of OpenPGP.
type ProviderKey struct {
	ID          string `json:"id"`
	Fingerprint string `json:"fingerprint"`
	Identity    string `json:"identity,omitempty" doc:"Whose it says that it is."`
}

// ProviderVersion is a version of a provider. GET /providers/{namespace}/{name}/versions; POST there publishes one by its signed sums
// (provider:write), and each archive that they name is sent by POST …/versions/{version}/platforms/{os}/{arch}.
type ProviderVersion struct {
	Version   string             `json:"version"`
	Protocols []string           `json:"protocols" doc:"Of plugins."`
	Platforms []ProviderPlatform `json:"platforms"`
	Key       string             `json:"key" doc:"Fingerprint of the key that signed it."`
	Complete  bool               `json:"complete" doc:"All archives that its sums name are there."`
	Revoked   bool               `json:"revoked,omitempty" doc:"The provider lists its key no more, so that it is not offered."`
	Offered   bool               `json:"offered" doc:"Engines may choose it."`
	By        Actor              `json:"by"`
	Yanked    *Yanked            `json:"yanked,omitempty"`
	Created   time.Time          `json:"created"`
}

// ProviderPlatform is an archive of a version of a provider.
type ProviderPlatform struct {
	OS       string `json:"os"`
	Arch     string `json:"arch"`
	Filename string `json:"filename"`
	Sum      string `json:"sum" doc:"SHA-256, in hex."`
	Size     int64  `json:"size" doc:"Bytes; 0 until it is uploaded."`
	Uploaded bool   `json:"uploaded"`
}
