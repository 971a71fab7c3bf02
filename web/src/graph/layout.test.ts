import { expect, it } from 'vitest';
import { elkInput } from './layout';

it('asks elk for the nodes and for the edges between them, each once', () => {
  const input = elkInput(
    ['a', 'b', 'c'].map((id) => ({ id, label: id })),
    [
      { from: 'a', to: 'b' },
      { from: 'a', to: 'b' },
      { from: 'b', to: 'gone' },
      { from: 'c', to: 'c' },
    ],
  );
  expect(input.children.map((n) => n.id)).toEqual(['a', 'b', 'c']);
  expect(input.edges).toEqual([{ id: 'a->b', sources: ['a'], targets: ['b'] }]);
});
