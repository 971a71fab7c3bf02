import { describe, expect, it } from 'vitest';
import { lineOfRow, phasesOf, rowsOf } from './folds';
import { append, emptyLog, type LogText } from './log';

const none = new Map<number, boolean>();
const logOf = (...lines: string[]) => {
  const text = lines.join('\n');
  return append(emptyLog, { offset: 0, next: text.length, text });
};
const shown = (log: LogText, text = '', turned: ReadonlyMap<number, boolean> = none, line?: number) =>
  rowsOf(log, phasesOf(log, turned, line), text).map((row) => (row.phase ? `# ${row.phase.name}` : row.line?.text));

const plan = [
  'roadbed: OpenTofu',
  '── init, at 0.0 s ──',
  'one',
  'two',
  '── hooks before plan, at 1.5 s ──',
  'three',
  '── plan, at 2.0 s ──',
  'four',
];

describe('the phases of a log', () => {
  it('are folded when they are over, and the one that goes on is open', () => {
    const log = logOf(...plan, 'fi');
    expect(shown(log)).toEqual(['roadbed: OpenTofu', '# init', '# hooks before plan', '# plan', 'four', 'fi']);
    expect(phasesOf(log, none).map((p) => [p.name, p.lines, p.took, p.over])).toEqual([
      ['init', 2, 1500, true],
      ['hooks before plan', 1, 500, true],
      ['plan', 2, undefined, false],
    ]);
  });

  it('have one that failed open, whichever it is, and of a step that is done what it is for', () => {
    expect(shown(logOf(...plan.slice(0, 6), 'it failed', ''))).toEqual([
      'roadbed: OpenTofu',
      '# init',
      '# hooks before plan',
      'three',
      'it failed',
    ]);
    const done = logOf(...plan, '── hooks after plan, at 3.0 s ──', 'five', '── done, at 3.5 s ──', 'shown');
    expect(shown(done)).toEqual([
      'roadbed: OpenTofu',
      '# init',
      '# hooks before plan',
      '# plan',
      'four',
      '# hooks after plan',
      'five',
      '── done, at 3.5 s ──',
      'shown',
    ]);
    expect(phasesOf(done, none).at(-1)).toMatchObject({ lines: 1, took: 500, over: true, open: true });
  });

  it('open where a line is linked to or somebody opens them, and while something is sought', () => {
    const log = logOf(...plan);
    expect(shown(log, '', none, 4)).toContain('two');
    expect(shown(log, '', none, 2)).toContain('one');
    expect(shown(log, '', new Map([[5, true]]))).toEqual([
      'roadbed: OpenTofu',
      '# init',
      '# hooks before plan',
      'three',
      '# plan',
      'four',
    ]);
    expect(shown(log, '', new Map([[7, false]]))).not.toContain('four');
    expect(shown(log, 't')).toEqual(expect.arrayContaining(['two', 'three']));
    expect(shown(log, 't')).not.toContain('# init');
    expect(rowsOf(log, phasesOf(log, none), '').map(lineOfRow)).toEqual([1, 2, 5, 7, 8]);
  });

  it('are told apart only by lines of the platform, with or without a clock', () => {
    const log = logOf(
      '── init ──',
      'a',
      '────────────',
      '── made up ──',
      ' ── plan ──',
      '── plan, at x s ──',
      'x ── plan ──',
      '── apply ──',
      'b',
    );
    expect(phasesOf(log, none).map((p) => [p.name, p.lines, p.took])).toEqual([
      ['init', 6, undefined],
      ['apply', 1, undefined],
    ]);
  });

  it('hide nothing that a program writes as if it were the platform', () => {
    const log = logOf(
      ...plan,
      '── show, at 2.5 s ──',
      'a secret act',
      '── plan, at 3.0 s ──',
      '── done, at 1.0 s ──',
      'b',
      '',
    );
    expect(shown(log).slice(-7)).toEqual([
      '# plan',
      'four',
      '# show',
      'a secret act',
      '── plan, at 3.0 s ──',
      '── done, at 1.0 s ──',
      'b',
    ]);
    const ahead = logOf(plan[1] as string, '── plan, at 0.1 s ──', 'x', '── show, at 0.2 s ──', 'y', ...plan.slice(4));
    expect(shown(ahead)).toEqual([
      '# init',
      '# plan',
      'x',
      '# show',
      'y',
      '# hooks before plan',
      'three',
      '── plan, at 2.0 s ──',
      'four',
    ]);
    const late = logOf('── init, at 9999.0 s ──', 'x', ...plan.slice(4), '── done, at 99999.0 s ──', 'y', '');
    expect(shown(late)).toEqual(['# init', '# plan', 'four', '── done, at 99999.0 s ──', 'y']);
    const names = Array.from({ length: 26 * 26 }, (_, i) =>
      String.fromCharCode(97 + Math.floor(i / 26), 97 + (i % 26)),
    );
    expect(logOf(...names.map((n) => `── hooks before ${n} ──`), '').marks).toHaveLength(40);
  });

  it('stay open when they end while somebody reads there', () => {
    const log = logOf(...plan);
    expect(phasesOf(log, none, undefined, 5).map((p) => p.open)).toEqual([false, true, true]);
    expect(phasesOf(log, new Map([[5, false]]), undefined, 5).map((p) => p.open)).toEqual([false, false, true]);
  });

  it('keep the head of a phase whose beginning is dropped', () => {
    let log = emptyLog;
    for (const [i, line] of [...plan.slice(1, 3), '── plan ──', 'a', 'b', 'c', 'd'].entries()) {
      log = append(log, { offset: i * 100, next: i * 100 + 100, text: `${line}\n` }, 3);
    }
    expect(shown(log)).toEqual(['# plan', 'b', 'c', 'd']);
    expect(phasesOf(log, none)).toHaveLength(1);
    expect(phasesOf(log, none)[0]?.lines).toBe(4);
    log = append(log, { offset: 800, next: 900, text: '── show ──\ne\n── init ──\nf\n── done ──\n' }, 3);
    expect(shown(log)).toEqual(['# show', '── init ──', 'f', '── done ──']);
  });
});
