import { describe, expect, it } from 'vitest';
import type { Stack } from '../../api/types';
import { drawnOf } from './neighbours';

const stack = (some: Partial<Stack>) => ({ ref: 'stack:default/app', name: 'app', ...some }) as Stack;

describe('what goes before and after a stack', () => {
  it('is drawn from left to right, with the outputs that are used', () => {
    const { nodes, edges } = drawnOf(
      stack({
        dependsOn: [
          {
            stack: 'stack:team/net',
            outputs: [
              { output: 'vpc', as: 'TF_VAR_vpc' },
              { output: 'zone', as: 'TF_VAR_zone' },
            ],
          },
        ],
        dependents: [{ stack: 'stack:default/shop', outputs: [], unused: true }],
      }),
    );
    expect(nodes.map((n) => [n.label, n.note])).toEqual([
      ['team/net', 'goes before'],
      ['app', 'this stack'],
      ['shop', 'not yet after it'],
    ]);
    expect(edges).toEqual([
      { from: 'stack:team/net', to: 'stack:default/app', label: 'vpc +1' },
      { from: 'stack:default/app', to: 'stack:default/shop', label: undefined },
    ]);
  });
});
