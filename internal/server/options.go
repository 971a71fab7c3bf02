package server

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/outbound"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Options say how a server runs. Each is a flag, an environment variable (ROADBED_…) and a key of the YAML file that
// --config names; the flag wins over the environment, and that over the file.
type Options struct {
	Listen     string
	Data       string
	Database   string
	Dev        bool
	BaseURL    string
	AppDomains string
	Proxies    string
	Private    string
	TLSCert    string
	TLSKey     string
	AdminToken string
	Engine     string
	Download   bool

	OpenTofuReleases  string // addresses
	TerraformReleases string

	KubectlReleases    string // addresses
	TerragruntReleases string
	PulumiReleases     string

	ProviderMirror string // see the words below
	ProviderHosts  string
	ProviderSpace  int // GiB
	releases       releases

	Workers    int
	StepMemory int // GiB
	PushLimit  int // MiB, and so are those below
	FileLimit  int
	ObjectSize int
	LargeTotal int
	StepTime   time.Duration
	PushRuns   int
	HookKeep   time.Duration
	HookSpace  int // MiB
	Network    bool
	Isolation  string
	Executor   string
	Containers Containers
	LogLevel   string
	LogFormat  string
	Drain      time.Duration
	Grace      time.Duration // of deleted repositories
	CloneCache int           // GiB
	Config     string
	output     int64         // bytes of each step's log; 0 for what workers take, tests have less
	patience   time.Duration // of workers; 0 for their own, tests wait less
	pulumi     string        // the program that the default pool lends in the place of the one on PATH; "" for that, tests have another
	terragrunt string        // and of Terragrunt
	infracost  string        // and of Infracost
	kubectl    string        // and of kubectl
}

// option is one row of the table from which flags, environment and reference are made.
type option struct {
	name, usage string
	secret      bool // only from the environment or the file: a flag shows in the list of processes
	set         func(o *Options, value string) error
	get         func(o *Options) string
}

func text(field func(o *Options) *string) (set func(*Options, string) error, get func(*Options) string) {
	return func(o *Options, v string) error { *field(o) = v; return nil }, func(o *Options) string { return *field(o) }
}

func flag(field func(o *Options) *bool) (set func(*Options, string) error, get func(*Options) string) {
	return func(o *Options, v string) (err error) { *field(o), err = strconv.ParseBool(v); return err },
		func(o *Options) string { return strconv.FormatBool(*field(o)) }
}

func table() []option {
	row := func(name, usage string, set func(*Options, string) error, get func(*Options) string) option {
		return option{name: name, usage: usage, set: set, get: get}
	}
	var rows []option
	add := func(name, usage string) func(set func(*Options, string) error, get func(*Options) string) {
		return func(set func(*Options, string) error, get func(*Options) string) {
			rows = append(rows, row(name, usage, set, get))
		}
	}
	add("listen", "`address` and port on which everything is served")(text(func(o *Options) *string { return &o.Listen }))
	add("data", "`folder` for the database, repositories, logs, artifacts and keys")(text(func(o *Options) *string { return &o.Data }))
	add("database", "`database`: sqlite:FILE or postgres://…; empty for roadbed.db in the data folder")(text(func(o *Options) *string { return &o.Database }))
	add("dev", "for trying out: prints a sign-in link, keeps data under ./.roadbed, speaks HTTPS beside HTTP")(flag(func(o *Options) *bool { return &o.Dev }))
	add("base-url", "`address` by which browsers reach the server; empty for http:// (https:// with --tls-cert) and the listen address")(text(func(o *Options) *string { return &o.BaseURL }))
	add("app-domains", "`domains`, with commas, below which applications take host names; *.DOMAIN has to reach this server")(text(func(o *Options) *string { return &o.AppDomains }))
	add("trusted-proxies", "`addresses` or networks, with commas, of proxies whose X-Forwarded-For and X-Forwarded-Proto are believed")(text(func(o *Options) *string { return &o.Proxies }))
	add("allow-private", "`networks`, addresses and names of hosts, with commas, that forges may be at although they are not public, such as 10.0.0.0/8,git.example.internal")(text(func(o *Options) *string { return &o.Private }))
	add("tls-cert", "`file` with the server's certificate and those that vouch for it, in PEM; the port then speaks HTTPS")(text(func(o *Options) *string { return &o.TLSCert }))
	add("tls-key", "`file` with the key of --tls-cert, in PEM; both files are read again when they change")(text(func(o *Options) *string { return &o.TLSKey }))
	add("engine", "`program` that plans and applies stacks; empty for tofu or terraform on PATH, or one in the data folder")(text(func(o *Options) *string { return &o.Engine }))
	add("download-engine", "download OpenTofu (checksum verified) when no engine is found, and what stacks ask for by its version")(flag(func(o *Options) *bool { return &o.Download }))
	add("opentofu-releases", "`address` of a mirror of OpenTofu's releases: api.json, and vVERSION/ with its files; empty for OpenTofu's own")(text(func(o *Options) *string { return &o.OpenTofuReleases }))
	add("terraform-releases", "`address` of Terraform's releases, https://releases.hashicorp.com or a mirror of it, for stacks that ask for Terraform; empty to download none (from 1.6 on, its licence is the BUSL)")(text(func(o *Options) *string { return &o.TerraformReleases }))
	add("kubectl-releases", "`address` of a mirror of kubectl's releases, with the layout of https://dl.k8s.io/release; empty for that")(text(func(o *Options) *string { return &o.KubectlReleases }))
	add("terragrunt-releases", "`address` of a mirror of Terragrunt's releases: releases.json, and vVERSION/ with its files; empty for GitHub")(text(func(o *Options) *string { return &o.TerragruntReleases }))
	add("pulumi-releases", "`address` of a mirror of Pulumi's releases: latest-version, releases.json, archives and lists of checksums; empty for Pulumi's own")(text(func(o *Options) *string { return &o.PulumiReleases }))
	add("provider-mirror", "`word`; off: engines ask registries for providers; on: they ask this server, which fetches and keeps them; only: they get nothing but what was added here")(text(func(o *Options) *string { return &o.ProviderMirror }))
	add("provider-hosts", "`hosts`, with commas, of registries from which the provider mirror fetches; empty for registry.opentofu.org and registry.terraform.io")(text(func(o *Options) *string { return &o.ProviderHosts }))
	add("provider-space", "most disk that providers which the mirror fetched take, in `GiB`; those that were asked for last are kept")(
		func(o *Options, v string) (err error) { o.ProviderSpace, err = strconv.Atoi(v); return err },
		func(o *Options) string { return strconv.Itoa(o.ProviderSpace) })
	add("network", "let steps that ask for it use this machine's network")(flag(func(o *Options) *bool { return &o.Network }))
	add("isolation", "`word`; require: start only where steps and applications are isolated; prefer: also without; empty for require, with --dev prefer")(text(func(o *Options) *string { return &o.Isolation }))
	containerRows(add)
	add("log-level", "`level`: debug, info, warn or error")(text(func(o *Options) *string { return &o.LogLevel }))
	add("log-format", "`format`: text or json")(text(func(o *Options) *string { return &o.LogFormat }))
	add("workers", "`number` of steps that run at once in this process; 0 for one a core, at least 4")(
		func(o *Options, v string) (err error) { o.Workers, err = strconv.Atoi(v); return err },
		func(o *Options) string { return strconv.Itoa(o.Workers) })
	add("step-memory", "most memory that one step of a workflow or stack, or one pod, gets, in `GiB`, whatever it asks for")(
		func(o *Options, v string) (err error) { o.StepMemory, err = strconv.Atoi(v); return err },
		func(o *Options) string { return strconv.Itoa(o.StepMemory) })
	for _, size := range []struct {
		name, usage string
		field       func(o *Options) *int
	}{
		{"push-limit", "most that one push to a repository may have, in `MiB`", func(o *Options) *int { return &o.PushLimit }},
		{"file-limit", "most that one file in a push may have, in `MiB`", func(o *Options) *int { return &o.FileLimit }},
		{"lfs-file-limit", "most that one file of Git LFS may have, in `MiB`", func(o *Options) *int { return &o.ObjectSize }},
		{"lfs-limit", "most that the files of Git LFS of one repository may have together, in `MiB`", func(o *Options) *int { return &o.LargeTotal }},
	} {
		add(size.name, size.usage)(
			func(o *Options, v string) (err error) { *size.field(o), err = strconv.Atoi(v); return err },
			func(o *Options) string { return strconv.Itoa(*size.field(o)) })
	}
	add("step-time", "longest `time` that one step of a workflow or stack runs, whatever it asks for")(
		func(o *Options, v string) (err error) { o.StepTime, err = time.ParseDuration(v); return err },
		func(o *Options) string { return o.StepTime.String() })
	add("push-runs", "most `runs` of stacks that one push, or one head of a proposal, begins")(
		func(o *Options, v string) (err error) { o.PushRuns, err = strconv.Atoi(v); return err },
		func(o *Options) string { return strconv.Itoa(o.PushRuns) })
	add("webhook-keep", "how `long` what webhooks said is kept after it was handled; that they came is kept for 90 days")(
		func(o *Options, v string) (err error) { o.HookKeep, err = time.ParseDuration(v); return err },
		func(o *Options) string { return o.HookKeep.String() })
	add("webhook-space", "most room that what webhooks said takes, compressed, in `MiB`; the oldest goes first")(
		func(o *Options, v string) (err error) { o.HookSpace, err = strconv.Atoi(v); return err },
		func(o *Options) string { return strconv.Itoa(o.HookSpace) })
	add("drain", "longest `time` that requests and steps may take to end when the server is asked to stop")(
		func(o *Options, v string) (err error) { o.Drain, err = time.ParseDuration(v); return err },
		func(o *Options) string { return o.Drain.String() })
	add("repository-grace", "`time` for which a deleted repository can be restored; 0 removes it at once")(
		func(o *Options, v string) (err error) { o.Grace, err = time.ParseDuration(v); return err },
		func(o *Options) string { return o.Grace.String() })
	add("clone-cache", "most disk that copies of repositories at forges take together, in `GiB`; those that were read last are kept")(
		func(o *Options, v string) (err error) { o.CloneCache, err = strconv.Atoi(v); return err },
		func(o *Options) string { return strconv.Itoa(o.CloneCache) })
	set, get := text(func(o *Options) *string { return &o.AdminToken })
	rows = append(rows, option{name: "admin-token", usage: "token of user:default/admin, for scripts", secret: true, set: set, get: get})
	return rows
}

// What --isolation may be.
const (
	requireIsolation = "require"
	preferIsolation  = "prefer"
)

// What --provider-mirror may be.
const (
	mirrorOff  = "off"
	mirrorOn   = "on"
	mirrorOnly = "only"
)

// Defaults are the options that nobody set.
func Defaults() Options {
	return Options{Listen: "127.0.0.1:8080", AppDomains: "localhost", Data: "", LogLevel: "info", LogFormat: "text", Executor: processExecutor, Download: true, StepMemory: 16, StepTime: 12 * time.Hour, Drain: 10 * time.Second, Grace: repository.DefaultGrace,
		HookKeep: 14 * 24 * time.Hour, HookSpace: 1024, CloneCache: repository.DefaultCache >> 30, PushLimit: 2 << 10, FileLimit: 512, ObjectSize: 5 << 10, LargeTotal: 50 << 10,
		ProviderMirror: mirrorOn, ProviderSpace: 20, PushRuns: 500}
}

// limits are what repositories take.
func (o Options) limits() repository.Limits {
	const mib = 1 << 20
	return repository.Limits{Push: int64(o.PushLimit) * mib, File: int64(o.FileLimit) * mib, Object: int64(o.ObjectSize) * mib, Large: int64(o.LargeTotal) * mib}
}

// environment is the name of an option's variable: ROADBED_LOG_LEVEL for log-level.
func environment(name string) string {
	return "ROADBED_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

// given is an option as it was written; what it means is found out when all are read.
type given string

func (g *given) String() string        { return string(*g) }
func (g *given) Set(text string) error { *g = given(text); return nil }

func (g *given) Type() string {
	if *g == "true" || *g == "false" {
		return "bool"
	}
	return "value"
}

// bind adds the options to a command's flags. The result reads them all, in their order, when the command runs.
func bind(flags *pflag.FlagSet) func() (Options, error) { return bindRows(flags, "server", table()) }

// bindRows is bind of some of the options, for a verb.
func bindRows(flags *pflag.FlagSet, verb string, rows []option) func() (Options, error) {
	all := map[string]*given{}
	defaults := Defaults()
	for _, row := range rows {
		if row.secret {
			continue
		}
		value := given(row.get(&defaults))
		all[row.name] = &value
		f := flags.VarPF(&value, row.name, "", fmt.Sprintf("%s (%s)", row.usage, environment(row.name)))
		if value.Type() == "bool" {
			f.NoOptDefVal = "true"
		}
	}
	config := flags.String("config", os.Getenv("ROADBED_CONFIG"), "YAML `file` with the same options as keys (ROADBED_CONFIG)")
	return func() (Options, error) {
		o := Defaults()
		file, err := readConfig(*config)
		if err != nil {
			return o, err
		}
		for _, row := range rows {
			value, from := "", ""
			if v, ok := file[row.name]; ok {
				value, from = v, *config+": "+row.name
				delete(file, row.name)
			}
			if v, ok := os.LookupEnv(environment(row.name)); ok {
				value, from = v, environment(row.name)
			}
			if !row.secret && flags.Changed(row.name) {
				value, from = string(*all[row.name]), "--"+row.name
			}
			if from == "" {
				continue
			}
			if err := row.set(&o, value); err != nil {
				return o, fault.Errorf(fault.Invalid, "%s: %q can't be used: %w", from, value, err)
			}
		}
		for name := range file {
			return o, fault.Errorf(fault.Invalid, "%s: %s is not an option; `roadbed %s --help` lists them", *config, name, verb)
		}
		return o.complete()
	}
}

func readConfig(path string) (map[string]string, error) {
	if path == "" {
		return nil, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "read the configuration: %w", err)
	}
	values := map[string]string{}
	if err := yaml.Unmarshal(data, &values); err != nil {
		return nil, fault.Errorf(fault.Invalid, "%s: %w", path, err)
	}
	return values, nil
}

// complete fills in what follows from other options.
func (o Options) complete() (Options, error) {
	if o.Data == "" {
		o.Data = "./.roadbed"
		if !o.Dev {
			o.Data = "./roadbed-data"
		}
	}
	var err error
	if o.Data, err = filepath.Abs(o.Data); err != nil {
		return o, fault.Errorf(fault.Invalid, "the data folder: %w", err)
	}
	if o.Database == "" {
		o.Database = "sqlite:" + filepath.Join(o.Data, "roadbed.db")
	}
	switch o.Isolation {
	case requireIsolation, preferIsolation:
	case "":
		o.Isolation = requireIsolation
		if o.Dev {
			o.Isolation = preferIsolation
		}
	default:
		return o, fault.Errorf(fault.Invalid, "isolation: %q is neither require nor prefer", o.Isolation)
	}
	if err := o.checkContainers(); err != nil {
		return o, err
	}
	for _, domain := range o.domains() {
		if problems := validation.IsDNS1123Subdomain(domain); len(problems) > 0 || net.ParseIP(domain) != nil {
			return o, fault.Errorf(fault.Invalid, "app-domains: %q is not the name of a domain, such as apps.example.com", domain)
		}
	}
	if _, err := readProxies(o.Proxies); err != nil {
		return o, err
	}
	if _, err := o.guard(); err != nil {
		return o, err
	}
	if err := o.checkProviders(); err != nil {
		return o, err
	}
	if (o.TLSCert == "") != (o.TLSKey == "") {
		return o, fault.Errorf(fault.Invalid, "tls-cert and tls-key belong together; give both or neither")
	}
	if o.StepMemory < 1 || o.StepMemory > 1<<20 || o.StepTime <= 0 {
		return o, fault.Errorf(fault.Invalid, "step-memory: %d, step-time: %s; a step has at least 1 GiB and some time", o.StepMemory, o.StepTime)
	}
	if o.PushRuns < 1 {
		return o, fault.Errorf(fault.Invalid, "push-runs: %d; a push begins at least one run", o.PushRuns)
	}
	if o.HookKeep < time.Minute || o.HookSpace < 1 || o.HookSpace > 1<<20 {
		return o, fault.Errorf(fault.Invalid, "webhook-keep: %s, webhook-space: %d; a minute and 1 MiB are the least", o.HookKeep, o.HookSpace)
	}
	for _, mib := range []int{o.PushLimit, o.FileLimit, o.ObjectSize, o.LargeTotal} {
		if mib < 1 || mib > 1<<30 {
			return o, fault.Errorf(fault.Invalid, "push-limit, file-limit, lfs-file-limit and lfs-limit are numbers of MiB from 1 on")
		}
	}
	if _, err := o.Logger(); err != nil {
		return o, err
	}
	if o.Workers < 0 {
		return o, fault.Errorf(fault.Invalid, "workers must be 0 or more")
	}
	if o.Workers == 0 {
		o.Workers = max(4, runtime.NumCPU())
	}
	return o, nil
}

// guard gives what dials addresses that users name.
func (o Options) guard() (*outbound.Guard, error) {
	g, err := outbound.New(outbound.Options{Allow: o.Private, Upstream: http.ProxyFromEnvironment})
	return g, fault.Wrap(err, "allow-private")
}

// domains are those of applications.
func (o Options) domains() []string {
	domains := strings.Split(o.AppDomains, ",")
	for i, domain := range domains {
		domains[i] = strings.ToLower(strings.TrimSpace(domain))
	}
	return domains
}

// Logger gives the log that the options ask for, on standard error.
func (o Options) Logger() (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(o.LogLevel)); err != nil {
		return nil, fault.Errorf(fault.Invalid, "log-level: %q is none of debug, info, warn, error", o.LogLevel)
	}
	options := &slog.HandlerOptions{Level: level}
	switch o.LogFormat {
	case "json":
		return slog.New(slog.NewJSONHandler(os.Stderr, options)), nil
	case "text":
		return slog.New(slog.NewTextHandler(os.Stderr, options)), nil
	}
	return nil, fault.Errorf(fault.Invalid, "log-format: %q is neither text nor json", o.LogFormat)
}
