import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands';
import { bracketMatching, indentOnInput, indentUnit, syntaxHighlighting } from '@codemirror/language';
import { Compartment, EditorState, type Extension } from '@codemirror/state';
import {
  drawSelection,
  EditorView,
  highlightActiveLine,
  highlightSpecialChars,
  keymap,
  lineNumbers,
} from '@codemirror/view';
import { classHighlighter } from '@lezer/highlight';
import { ofPath } from '../../code/languages';

const look = EditorView.theme({
  '&': { fontSize: '12.5px', backgroundColor: 'var(--surface)', color: 'var(--mantine-color-text)' },
  '&.cm-focused': { outline: '2px solid var(--busy)', outlineOffset: '-2px' },
  '.cm-content': {
    fontFamily: 'var(--mantine-font-family-monospace)',
    caretColor: 'var(--mantine-color-text)',
    minHeight: '240px',
  },
  '.cm-scroller': { lineHeight: '20px', maxHeight: '65vh', overflow: 'auto' },
  '.cm-gutters': { backgroundColor: 'var(--surface)', color: 'var(--quiet)', borderRight: '1px solid var(--line)' },
  '.cm-activeLine, .cm-activeLineGutter': { backgroundColor: 'var(--ground)' },
  '.cm-cursor': { borderLeftColor: 'var(--mantine-color-text)' },
  '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground': {
    backgroundColor: 'var(--busy-ground) !important',
  },
});

interface Options {
  parent: HTMLElement;
  text: string;
  path: string;
  /** What ends the lines; it is kept. */
  ending: '\n' | '\r\n';
  label: string;
  changed: (text: string) => void;
}

/** An editor of a text that gives back every byte that nobody changed. */
export function openEditor({ parent, text, path, ending, label, changed }: Options): EditorView {
  const language = new Compartment();
  const indent = /^\t/m.test(text) || /(^|\/)(Makefile|.*\.(go|mk))$/.test(path) ? '\t' : '  ';
  const extensions: Extension[] = [
    EditorState.lineSeparator.of(ending),
    lineNumbers(),
    history(),
    drawSelection(),
    highlightSpecialChars(),
    highlightActiveLine(),
    bracketMatching(),
    indentOnInput(),
    indentUnit.of(indent),
    syntaxHighlighting(classHighlighter),
    language.of([]),
    // Tab indents; Escape, then Tab, leaves the editor for those who use the keyboard alone.
    keymap.of([...defaultKeymap, ...historyKeymap, indentWithTab]),
    EditorView.contentAttributes.of({ 'aria-label': label, tabindex: '0' }),
    EditorView.lineWrapping,
    EditorView.updateListener.of((update) => {
      if (update.docChanged) changed(update.state.sliceDoc());
    }),
    look,
  ];
  const view = new EditorView({ parent, state: EditorState.create({ doc: text, extensions }) });
  void ofPath(path)
    ?.load()
    .then((loaded) => view.dispatch({ effects: language.reconfigure(loaded) }));
  return view;
}
