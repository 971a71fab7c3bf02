package policy

import "encoding/json"

// redacted stands for what an engine marked as sensitive.
const redacted = "(sensitive)"

// tame gives v with numbers that are too large to reckon with as text.
func tame(v any) any {
	switch v := v.(type) {
	case json.Number:
		if huge(string(v)) {
			return string(v)
		}
	case []any:
		for i := range v {
			v[i] = tame(v[i])
		}
	case map[string]any:
		for key, item := range v {
			v[key] = tame(item)
		}
	}
	return v
}

// redact takes out what a plan or state marks as sensitive, wherever it occurs in v: the engines print such values in
// clear text beside a mask. It changes v.
//
// The marks: before_sensitive beside before, after_sensitive beside after, sensitive_values beside values, sensitive:
// true beside value; and variables that the configuration declares as sensitive.
func redact(v any) {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			redact(item)
		}
	case map[string]any:
		for _, pair := range [...][2]string{{"before", "before_sensitive"}, {"after", "after_sensitive"}, {"values", "sensitive_values"}} {
			value, has := v[pair[0]]
			if mask, marked := v[pair[1]]; has && marked {
				v[pair[0]] = masked(value, mask)
			}
		}
		if v["sensitive"] == true {
			for _, field := range []string{"value", "default"} {
				if v[field] != nil {
					v[field] = redacted
				}
			}
		}
		redactVariables(v)
		for _, item := range v {
			redact(item)
		}
	}
}

// masked gives value without what mask marks: true hides it, an object or list hides what is true in it.
func masked(value, mask any) any {
	switch m := mask.(type) {
	case bool:
		if m && value != nil {
			return redacted
		}
	case map[string]any:
		if object, ok := value.(map[string]any); ok {
			for key, inner := range m {
				if had, exists := object[key]; exists {
					object[key] = masked(had, inner)
				}
			}
		}
	case []any:
		if list, ok := value.([]any); ok {
			for i := range min(len(list), len(m)) {
				list[i] = masked(list[i], m[i])
			}
		}
	}
	return value
}

// redactVariables hides the values of a plan's variables that its configuration declares as sensitive.
func redactVariables(plan map[string]any) {
	values, _ := plan["variables"].(map[string]any)
	configuration, _ := plan["configuration"].(map[string]any)
	root, _ := configuration["root_module"].(map[string]any)
	declared, _ := root["variables"].(map[string]any)
	for name, d := range declared {
		declaration, _ := d.(map[string]any)
		variable, _ := values[name].(map[string]any)
		if declaration["sensitive"] == true && variable["value"] != nil {
			variable["value"] = redacted
		}
	}
}
