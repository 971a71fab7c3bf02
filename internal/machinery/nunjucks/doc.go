// Package nunjucks renders the template language of golden paths: nunjucks 3.2.4 itself, run in an interpreter,
// with the settings that Backstage's scaffolder gives it (no escaping, ${{ }} for variables).
//
// A template is outside input and may be hostile. It has no way to the host (no files, no network, no modules),
// none to JavaScript beyond what a template may say, and bounds on time, text, nesting and size of its result.
// A session runs on an interpreter of its own, so nothing that a template does reaches another session.
package nunjucks
