// Package scaffold is golden paths: a Template's form, the run that makes what it promises, and the record of what
// came from which template.
//
// A template is a document of kind Template (scaffolder.backstage.io/v1beta3). It is read and checked whole before
// anything happens. Using it is a run of kind "scaffold" with one step per step of the template and one for the
// outcome; all are platform steps, done by the server's own worker as the person who started the run, or who continued
// it, whose rights are asked again at each of them and count while their token or session stands.
//
// States of a run:
//
//	running → finished             every step has succeeded
//	running → failed | canceled    what was made is kept and listed; retry goes on at the step that failed
//	running, failed, canceled → undoing → undone   what was made is deleted, the newest first
//
// Invariants:
//   - A step starts from the workspace that the step before it left (a blob), so a crash repeats one step only.
//   - Of another repository a run reads one commit, that at which it read there first.
//   - A thing is written down as intended before it is made, so that a repeated step knows its own work.
//   - Secrets of the form, wherever in it they are, are kept sealed, apart from the values, and dropped in the transaction
//     after which the run can't go on. Logs, outputs and messages are without them.
package scaffold
