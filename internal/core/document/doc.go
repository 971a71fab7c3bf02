// Package document holds the envelope of everything that people declare, and the contract of a kind.
//
// A document is `apiVersion, kind, metadata, spec` with whatever else its author wrote. Nothing is lost: a field
// that this package does not know stays in a Rest map, so Backstage's, Argo's and Kubernetes' documents come out
// as they went in. Values are the ones of JSON: string, bool, int64 (uint64 above its range), float64, nil,
// []any and map[string]any. A timestamp or a template such as "{{inputs.parameters.x}}" stays a string.
//
// A kind says how its documents are checked, what they relate to, and what else changes in the transaction in
// which one of them changes. Kinds are registered by the rooms that own them, when the server is built.
package document
