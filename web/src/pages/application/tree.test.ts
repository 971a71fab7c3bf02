import { expect, it } from 'vitest';
import type { ClusterObject } from '../../api/types';
import { leveled } from './tree';

const object = (key: string, parent?: string): ClusterObject => ({
  key,
  parent,
  kind: 'Pod',
  name: key,
  health: 'Healthy',
  created: '',
});

it('puts objects below those that own them, and loses none', () => {
  const rows = leveled([
    object('pod', 'rs'),
    object('deployment'),
    object('rs', 'deployment'),
    object('lone', 'gone'),
    object('x', 'y'),
    object('y', 'x'),
  ]);
  expect(rows.map((r) => `${r.level} ${r.object.key}`)).toEqual([
    '0 deployment',
    '1 rs',
    '2 pod',
    '0 lone',
    '0 x',
    '0 y',
  ]);
});
