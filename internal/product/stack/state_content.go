package stack

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// stateFile is a state of version 4, as far as the platform looks into it.
type stateFile struct {
	Version   int              `json:"version"`
	Engine    string           `json:"terraform_version"`
	Serial    int64            `json:"serial"`
	Lineage   string           `json:"lineage"`
	Outputs   map[string]Value `json:"outputs"`
	Resources []stateResource  `json:"resources"`
}

type stateResource struct {
	Module    string          `json:"module"`
	Mode      string          `json:"mode"` // managed or data
	Type      string          `json:"type"`
	Name      string          `json:"name"`
	Provider  string          `json:"provider"`
	Instances []stateInstance `json:"instances"`
}

type stateInstance struct {
	Key        json.RawMessage   `json:"index_key"` // a number, a text, or absent
	Status     string            `json:"status"`    // tainted, or absent
	Deposed    string            `json:"deposed"`
	Attributes json.RawMessage   `json:"attributes"`
	Flat       map[string]string `json:"attributes_flat"` // of engines before 0.12
	Sensitive  []json.RawMessage `json:"sensitive_attributes"`
}

func readState(data []byte) (stateFile, error) {
	var f stateFile
	if err := json.Unmarshal(data, &f); err != nil {
		return f, fault.Errorf(fault.Invalid, "the state is not JSON as engines write it: %w", err)
	}
	if f.Version != 4 {
		return f, fault.Errorf(fault.Invalid, "the state is of version %d; version 4 is needed (Terraform 0.12 and later, any OpenTofu)", f.Version)
	}
	if f.Lineage == "" {
		return f, fault.Errorf(fault.Invalid, "the state has no lineage, so nobody can tell to which stack it belongs")
	}
	if f.Serial < 0 || f.Serial > serialMost {
		return f, fault.Errorf(fault.Invalid, "the state has serial %d; it is from 0 to %d", f.Serial, int64(serialMost))
	}
	return f, nil
}

// serialMost leaves room for the serials that come after.
const serialMost = 1 << 53

// address gives the address of all instances of a resource, as plans write it.
func (r *stateResource) address() string {
	if r.Provider == vendorKubernetes {
		return objectAddress(r.Type, r.Name)
	}
	at := r.Type + "." + r.Name
	if r.Mode == "data" {
		at = "data." + at
	}
	if r.Module != "" {
		at = r.Module + "." + at
	}
	return at
}

// suffix gives what stands behind the address of a resource for one of its instances: nothing, [0] or ["key"].
func (i *stateInstance) suffix() string {
	raw := bytes.TrimSpace(i.Key)
	if len(raw) == 0 || string(raw) == "null" {
		return ""
	}
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return "[" + string(raw) + "]"
	}
	return "[" + quote(text) + "]"
}

// quote writes a text as JSON does, with < and > as they are.
func quote(text string) string {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	_ = e.Encode(text) // a text always encodes
	return strings.TrimSuffix(out.String(), "\n")
}

// source gives the provider of a resource by its source address, without the registry that is everybody's:
// hashicorp/aws of provider["registry.opentofu.org/hashicorp/aws"].west.
func (r *stateResource) source() string {
	_, after, ok := strings.Cut(r.Provider, `["`)
	if !ok {
		return r.Provider
	}
	name, _, _ := strings.Cut(after, `"]`)
	for _, usual := range []string{"registry.opentofu.org/", "registry.terraform.io/"} {
		name = strings.TrimPrefix(name, usual)
	}
	return name
}

// item is one instance of a resource in a state.
type item struct {
	Address string
	key     string // its place in lists, of bounded length
	*stateResource
	*stateInstance
}

// items gives the instances of a state by their keys, in order. What has no type or name is left out.
func (f *stateFile) items() []item {
	n := 0
	for i := range f.Resources {
		n += len(f.Resources[i].Instances)
	}
	all := make([]item, 0, n)
	for i := range f.Resources {
		r := &f.Resources[i]
		if r.Type == "" || r.Name == "" {
			continue
		}
		base := r.address()
		for j := range r.Instances {
			at := &r.Instances[j]
			address := base + at.suffix()
			if at.Deposed != "" {
				address += " (deposed " + at.Deposed + ")"
			}
			all = append(all, item{address, listKey(address), r, at})
		}
	}
	slices.SortStableFunc(all, func(a, b item) int { return strings.Compare(a.key, b.key) })
	return slices.CompactFunc(all, func(a, b item) bool { return a.key == b.key })
}

// keyMost bounds the key of a resource in a list, in bytes: indexes and cursors take no more.
const keyMost = 400

// listKey gives the key of an address: itself, or of a long one its beginning with a hash.
func listKey(address string) string {
	address = clean(address)
	if len(address) <= keyMost {
		return address
	}
	sum := sha256.Sum256([]byte(address))
	return clean(address[:keyMost-33]) + "#" + hex.EncodeToString(sum[:16])
}

// clean takes out what a database does not keep: NUL, and what is not UTF-8.
func clean(text string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), "")
}

func cut(text string, most int) string {
	if len(text) > most {
		text = text[:most]
	}
	return clean(text)
}

// same tells whether two instances are alike in what people see of them.
func same(a, b item) bool {
	return a.Status == b.Status && a.Provider == b.Provider && reflect.DeepEqual(a.Flat, b.Flat) && sameJSON(a.Attributes, b.Attributes)
}

func sameJSON(a, b json.RawMessage) bool {
	if bytes.Equal(a, b) {
		return true
	}
	var x, y bytes.Buffer
	if json.Compact(&x, a) == nil && json.Compact(&y, b) == nil && bytes.Equal(x.Bytes(), y.Bytes()) {
		return true
	}
	u, errU := value(a)
	v, errV := value(b)
	return errU == nil && errV == nil && reflect.DeepEqual(u, v)
}

// value reads JSON with its numbers as they are written; nothing is nil.
func value(raw json.RawMessage) (v any, err error) {
	if len(raw) == 0 {
		return nil, nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	return v, d.Decode(&v)
}

// attributes gives the attributes of an instance, without the values that the engine, or what is given besides, calls
// sensitive.
func (x item) attributes(besides ...json.RawMessage) map[string]any {
	out := map[string]any{}
	for name, text := range x.Flat {
		out[name] = text
	}
	read, err := value(x.Attributes)
	if object, ok := read.(map[string]any); err == nil && ok {
		out = object
	}
	for _, path := range slices.Concat(x.Sensitive, besides) {
		maskPath(out, path)
	}
	for name, v := range out {
		out[name] = maskNamed(x.Type, name, v, 0)
	}
	return out
}

// maskPath takes out what lies at a path that the engine calls sensitive; where the path can't be followed, all of
// what it was followed to.
func maskPath(attributes map[string]any, raw json.RawMessage) {
	var path []struct {
		Type  string          `json:"type"`
		Value json.RawMessage `json:"value"`
	}
	if json.Unmarshal(raw, &path) != nil || len(path) == 0 {
		for name := range attributes {
			attributes[name] = maskedValue
		}
		return
	}
	var at any = attributes
	set := func(any) {}
	for _, step := range path {
		name := step.Value
		if step.Type == "index" {
			var index struct{ Value json.RawMessage }
			if json.Unmarshal(step.Value, &index) == nil && len(index.Value) > 0 {
				name = index.Value
			}
		}
		var text string
		var place int
		switch now := at.(type) {
		case map[string]any:
			if json.Unmarshal(name, &text) != nil {
				set(maskedValue)
				return
			}
			next, ok := now[text]
			if !ok {
				return // not there: nothing to hide
			}
			at, set = next, func(v any) { now[text] = v }
		case []any:
			if json.Unmarshal(name, &place) != nil || place < 0 || place >= len(now) {
				set(maskedValue)
				return
			}
			at, set = now[place], func(v any) { now[place] = v }
		default:
			set(maskedValue)
			return
		}
	}
	set(maskedValue)
}

// secretName tells whether a value of this name is taken for a secret though the engine does not say so: older ones leave out of
// a state what only the provider calls sensitive.
func secretName(kind, name string) bool {
	name = strings.ToLower(name)
	for _, end := range []string{
		"password", "passwd", "passphrase", "secret", "secret_string", "secret_binary", "secret_data", "secret_key", "secret_access_key", "client_secret", "token",
		"private_key", "private_key_pem", "private_key_openssh", "private_key_pem_pkcs8", "api_key", "access_key", "connection_string", "credentials", "master_auth", "kube_config_raw", "user_data", "user_data_base64",
	} {
		if name == end || strings.HasSuffix(name, "_"+end) {
			return true
		}
	}
	switch name {
	case "result", "bcrypt_hash", "content", "content_base64", "value", "data", "secret_value":
		return strings.Contains(kind, "password") || strings.Contains(kind, "sensitive") || strings.Contains(kind, "secret")
	}
	return false
}

// maskNamed takes out what is called like a secret, at any depth.
func maskNamed(kind, name string, v any, depth int) any {
	if v == nil || v == maskedValue {
		return v
	}
	if secretName(kind, name) || depth > maxDepth {
		return maskedValue
	}
	switch v := v.(type) {
	case map[string]any:
		for k, inner := range v {
			v[k] = maskNamed(kind, k, inner, depth+1)
		}
	case []any:
		for i, inner := range v {
			v[i] = maskNamed(kind, "", inner, depth+1)
		}
	}
	return v
}

// valueMost bounds one attribute as it is shown, in bytes of JSON.
const valueMost = 16 << 10

// bounded replaces a value that is too long to be shown.
func bounded(v any) any {
	raw, err := json.Marshal(v)
	if err == nil && len(raw) > valueMost {
		return fmt.Sprintf("(%d bytes; pull the state to see them)", len(raw))
	}
	return v
}

// identities are the attributes by which people know a thing, the most telling first.
var identities = []string{"arn", "self_link", "id", "name", "bucket", "fqdn", "hostname", "domain", "address", "url"}

// identityMost bounds one identifying value, in bytes.
const identityMost = 500

// identity gives the value by which a thing is known best, and all by which it may be searched. A value that is also
// that of something sensitive is none.
func (x item) identity() (best string, all []string) {
	var raw map[string]any
	if read, err := value(x.Attributes); err == nil {
		raw, _ = read.(map[string]any)
	}
	shown := x.attributes()
	hidden := map[string]bool{}
	for name, v := range raw {
		if text := plainText(v); text != "" && shown[name] == maskedValue {
			hidden[text] = true
		}
	}
	for _, name := range identities {
		text := plainText(shown[name])
		if text == "" || text == maskedValue || len(text) > identityMost || hidden[text] || slices.Contains(all, clean(text)) {
			continue
		}
		all = append(all, clean(text))
	}
	if len(all) > 0 {
		best = all[0]
	}
	return best, all
}

func plainText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return ""
}
