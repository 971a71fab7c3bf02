import { expect, test } from 'vitest';
import { docsPath, inPortal } from './place';

test('pages have addresses', () => {
  expect(docsPath('component:default/shop')).toBe('/docs/default/component/shop');
  expect(docsPath('api:pay/shop', 'a b/c', 'main', 'x')).toBe('/docs/pay/api/shop/a%20b/c?ref=main#x');
  expect(docsPath('nothing')).toBe('/docs');
});

test('links of the portal are told from others', () => {
  expect(inPortal('/docs/a/b/c')).toBe('/docs/a/b/c');
  for (const href of ['/api/v1/x', '//x.org', 'https://x.org', '#a', '/git/a/b'])
    expect(inPortal(href)).toBe(undefined);
});
