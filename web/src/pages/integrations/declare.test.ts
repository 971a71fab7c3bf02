import { expect, test } from 'vitest';
import { documentOf, newSecret, wrongName } from './declare';

test('the document of a form says what was filled in, and nothing else', () => {
  expect(documentOf({ name: 'lab', forge: 'gitlab', url: '', owners: [], token: 'default/lab-token' })).toBe(
    `apiVersion: roadbed.dev/v1
kind: Integration
metadata:
  name: lab
spec:
  forge: gitlab
  token:
    secretRef: default/lab-token
`,
  );
  const app = documentOf({
    name: 'hub',
    forge: 'github',
    url: 'https://github.example.com',
    owners: ['acme', '123'],
    app: { id: '4711', account: 'acme', key: 'default/hub-key' },
    webhook: 'default/hub-hook',
  });
  expect(app).toContain('    id: "4711"\n    account: acme\n    privateKey:\n      secretRef: default/hub-key\n');
  expect(app).toContain('  owners:\n  - acme\n  - "123"\n'.replace(/^ {2}-/gm, '    -'));
  expect(app).not.toContain('token');
});

test('a name is refused while it is typed when it is taken or no name', () => {
  expect(wrongName('', ['a'])).toBeUndefined();
  expect(wrongName('git.hub-1', ['a'])).toBeUndefined();
  expect(wrongName('A', ['a'])).toMatch('one of this name');
  for (const bad of ['a b', '-a', 'a/b', 'x'.repeat(41)]) expect(wrongName(bad, [])).toBeDefined();
});

test('a new secret is long, and another each time', () => {
  expect(newSecret()).toMatch(/^[0-9a-f]{48}$/);
  expect(newSecret()).not.toBe(newSecret());
});
