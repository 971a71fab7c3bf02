import { describe, expect, it } from 'vitest';
import type { GraphNode, Step } from '../../api/types';
import { plainText, spans } from './ansi';
import { engineOf } from './engine';
import { append, emptyLog, type LogText, search } from './log';
import { markCommand } from './mark';
import { hostedPath, outcomeOf } from './outcome';
import { byGroup, leaves, shownStep } from './steps';
import { offered, undoName } from './verbs';

describe('the log', () => {
  /** A piece of ASCII text. */
  const piece = (offset: number, text: string) => ({ offset, next: offset + text.length, text });
  const lines = (log: LogText) => search(log, '').map((l) => l.text);

  it('joins pieces whose borders lie within lines, and shows the line that is not ended', () => {
    let log = append(emptyLog, piece(0, 'one\ntw'));
    expect(lines(log)).toEqual(['one', 'tw']);
    log = append(log, piece(6, 'o\nthree\n'));
    expect(lines(log)).toEqual(['one', 'two', 'three']);
  });

  it('takes a piece that it had once only, and goes on where the server says, whatever the text has of bytes', () => {
    let log = append(emptyLog, { offset: 0, next: 4, text: '\ufffd\ufffda\n' }); // bytes that are no UTF-8
    log = append(log, { offset: 0, next: 4, text: '\ufffd\ufffda\n' });
    log = append(log, { offset: 4, next: 6, text: 'b\n' });
    expect(lines(log)).toEqual(['\ufffd\ufffda', 'b']);
    expect(log.next).toBe(6);
  });

  it('drops the oldest lines beyond its measure, and numbers go on', () => {
    const log = append(emptyLog, piece(0, 'a\nb\nc\nd\n'), 3);
    expect(search(log, '')).toEqual([
      { number: 2, text: 'b' },
      { number: 3, text: 'c' },
      { number: 4, text: 'd' },
    ]);
    expect(append(log, piece(8, 'e\n'), 3).dropped).toBe(2);
  });

  it('holds of a line that is written over and over only what stands', () => {
    let log = emptyLog;
    for (let i = 0; i < 1_000; i++) log = append(log, piece(i * 4, `${100 + i}\r`.slice(-4)));
    expect(log.open.length).toBeLessThan(10);
    expect(lines(append(log, piece(9_000, 'done\r\n')))).toEqual(['done']);
    expect(lines(append(emptyLog, piece(0, 'x'.repeat(25_000)))).map((l) => l.length)).toEqual([10_000, 10_000, 5_000]);
  });

  it('is searched without case and without colours', () => {
    const log = append(emptyLog, piece(0, '\u001b[31mFAIL\u001b[0m x\nok\n'));
    expect(search(log, 'fail')).toEqual([{ number: 1, text: 'FAIL x', raw: '\u001b[31mFAIL\u001b[0m x' }]);
  });

  it('shows colours, and no other sequence', () => {
    const line =
      '\u001b[1;31mred\u001b[39m bold\u001b[0m\u001b[2K \u001b[38;5;196mother\u001b]8;;http://x\u0007<b>link</b>\u001b]8;;\u0007';
    expect(spans(line)).toEqual([
      { text: 'red', classes: ['red', 'bold'] },
      { text: ' bold', classes: ['bold'] },
      { text: ' ', classes: [] },
      { text: 'other', classes: [] },
      { text: '<b>link</b>', classes: [] },
    ]);
    expect(plainText(line)).toBe('red bold other<b>link</b>');
    expect(plainText('50%\u001b[K')).toBe('50%');
  });
});

describe('steps', () => {
  const step = (key: string, position: number, state: string, more: Partial<Step> = {}): Step =>
    ({ id: `step_${key}`, key, title: key, position, state, attempt: 1, ...more }) as Step;

  it('come in order, by phase', () => {
    const groups = byGroup([
      step('b', 2, 'waiting', { group: 'apply' }),
      step('a', 1, 'leased', { group: 'plan' }),
      step('c', 3, 'waiting', { group: 'plan' }),
    ]);
    expect(groups.map((g) => [g.group, g.steps.map((s) => s.key)])).toEqual([
      ['plan', ['a', 'c']],
      ['apply', ['b']],
    ]);
  });

  it('shows the one asked for, else what works, else what failed, else what came last', () => {
    const started = '2026-01-01T00:00:00Z';
    const done = step('a', 1, 'succeeded', { started });
    const failed = step('b', 2, 'failed', { started });
    const busy = step('c', 3, 'leased', { started });
    const later = step('d', 4, 'waiting');
    expect(shownStep([done, failed, busy, later], 'd')?.key).toBe('d');
    expect(shownStep([done, failed, busy, later])?.key).toBe('c');
    expect(shownStep([done, failed, later], 'gone')?.key).toBe('b');
    expect(shownStep([done, later])?.key).toBe('a');
    expect(shownStep([])).toBeUndefined();
  });
});

it('draws what works, with the order that holders give it', () => {
  const node = (key: string, parent?: string, depends: string[] = []): GraphNode =>
    ({ key, name: key, parent, depends, phase: 'Running', type: 'Pod' }) as GraphNode;
  const drawn = leaves([
    node('dag'),
    node('first', 'dag'),
    node('group', 'dag', ['first']),
    node('x', 'group'),
    node('y', 'group', ['x']),
    node('last', 'dag', ['group']),
  ]);
  expect(drawn.map((n) => [n.key, n.depends])).toEqual([
    ['first', []],
    ['x', ['first']],
    ['y', ['x']],
    ['last', ['x', 'y']],
  ]);
});

describe('what may be done with a run', () => {
  it('offers the main action first', () => {
    expect(offered({ can: ['cancel', 'reject', 'confirm'] })).toEqual(['confirm', 'reject', 'cancel']);
    expect(offered({ can: [] })).toEqual([]);
  });

  it('offers to undo a golden path that failed half way', () => {
    const output = {
      made: [
        { kind: 'location', name: 'a/b:c.yaml' },
        { kind: 'repository', name: 'a/b' },
      ],
    };
    expect(offered({ can: ['undo', 'retry'] })).toEqual(['retry', 'undo']);
    expect(undoName({ title: 'Service: b', output })).toBe('a/b');
    expect(undoName({ title: 'Service: b' })).toBe('Service: b');
  });
});

it('leads to the page of a repository that is hosted here, and of no other', () => {
  const here = 'http://localhost:8080';
  expect(hostedPath(`${here}/git/default/shop`, here)).toBe('/repositories/default/shop');
  expect(hostedPath('/git/default/shop.git', here)).toBe('/repositories/default/shop');
  for (const other of [
    'https://git.example/git/default/shop',
    `${here}/git/default/shop/README.md`,
    '',
    `${here}/git/x`,
  ]) {
    expect(hostedPath(other, here)).toBeUndefined();
  }
});

it('reads the outcome of a golden path, and lets no link run a script', () => {
  const outcome = outcomeOf({
    links: [
      { title: 'Catalog', entityRef: 'component:default/shop' },
      { title: 'Bad', url: 'javascript:alert(1)' },
      { title: 'Code', url: 'https://git.example/x' },
    ],
    text: [{ title: 'Hello', content: 'x' }, { title: 'empty' }],
    made: 'odd',
  });
  expect(outcome.links.map((l) => l.title)).toEqual(['Catalog', 'Code']);
  expect(outcome.texts).toHaveLength(1);
  expect(outcome.made).toEqual([]);
});

describe('the engine of a run', () => {
  const step = (group: string, outputs?: Record<string, string>) => ({ group, outputs }) as Step;
  it('is what its steps have told', () => {
    expect(engineOf([step('plan', { alone: 'yes', engine: 'OpenTofu v1.12.6' }), step('apply')])).toBe(
      'OpenTofu v1.12.6',
    );
  });
  it('is none where no step has one', () => {
    expect(engineOf([step('plan'), step('build', { engine: 'steam' })])).toBeUndefined();
  });
});

describe('what is done outside', () => {
  it('is marked by a command whose name no shell takes apart', () => {
    expect(markCommand('7c1f-image', 'finished', 'payments')).toBe(
      'roadbed run mark 7c1f-image --status finished --space payments',
    );
    expect(markCommand("Ada's $image", 'failed', 'default')).toBe(
      `roadbed run mark 'Ada'\\''s $image' --status failed --space default`,
    );
  });
});
