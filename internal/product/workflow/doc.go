// Package workflow runs Argo's workflows: DAGs and steps of commands, as CI pipelines and operations.
//
// Its documents are Argo's own, argoproj.io/v1alpha1 Workflow and WorkflowTemplate, so that the same file runs on a
// cluster with Argo's controller; docs/reference/workflow-support.md says which parts. What is not supported is refused
// with its line before anything happens (Lint), never skipped in silence.
//
// A submitted workflow is a run of kind "workflow":
//
//	pending → running ⇄ waiting → succeeded | failed | error | canceled
//
// Pending waits for the run's lock, if it has one; waiting means that all that is open is suspended until a person
// resumes it. The run's input is a Plan: the document with everything that it names, fixed at submission. What comes
// next is a pure function of the plan and of what is known of the steps (Next), computed anew at each change: only
// leaves are stored, as steps of the run; every other node of the graph follows from them.
//
// Invariants:
//   - The same facts give the same outcome, and a leaf that was started stays a part of the graph.
//   - A run whose leaves end comes to an end: if nothing runs and nothing waits for time or a person, it is over.
//   - A document from a repository gets no right from its text: a step's scopes are those of a fixed list, and it may
//     write only artifacts of its run's own repository. One that somebody submits gets no scope that they lack.
//   - Submitting the same key twice gives the first run.
package workflow
