import { expect, test } from 'vitest';
import { checkerOf } from './check';

const fill = ['$', '{{ values.name }}'].join('');

test('files that the platform reads are checked, and no others', () => {
  expect(checkerOf('ci.yaml', 'apiVersion: argoproj.io/v1alpha1\nkind: WorkflowTemplate\n')).toBe('workflow');
  expect(
    checkerOf('a/template.yml', `apiVersion: scaffolder.backstage.io/v1beta3\nkind: Template\nspec: ${fill}`),
  ).toBe('template');
  expect(checkerOf('a/catalog-info.yaml', 'kind: Component')).toBe('documents');
  expect(checkerOf('.roadbed/stack.yaml', 'kind: Stack')).toBe('documents');
  expect(checkerOf('skeleton/catalog-info.yaml', `name: ${fill}`)).toBeUndefined();
  expect(checkerOf('app.yaml', 'apiVersion: argoproj.io/v1alpha1\nkind: Rollout\n')).toBeUndefined();
  expect(checkerOf('main.go', 'kind: Workflow')).toBeUndefined();
});
