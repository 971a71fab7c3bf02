// Docs that live beside the code are found, read, searched and corrected in the portal.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { launch, picture, story } from './browser.mjs';
import { start } from './server.mjs';

const told = story('docs');
const { chapter } = told;
let server;
let browser;
let page;

const files = {
  'catalog-info.yaml': `apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: shop, annotations: {backstage.io/techdocs-ref: dir:.}}
spec: {type: service, lifecycle: production, owner: admins}
---
apiVersion: backstage.io/v1alpha1
kind: API
metadata: {name: orders}
spec:
  type: openapi
  lifecycle: production
  owner: admins
  definition: |
    openapi: 3.0.0
    info: {title: Orders, version: 1.0.0, description: What was ordered}
    paths:
      /orders:
        get:
          tags: [orders]
          summary: List orders
          security: [{key: []}, {sso: [orders:read]}]
          parameters: [{name: limit, in: query, schema: {type: integer}}]
          responses: {200: {description: The orders, content: {application/json: {schema: {$ref: '#/components/schemas/Order'}}}}}
    components:
      securitySchemes:
        key: {type: apiKey, in: header, name: X-Key}
        sso: {type: openIdConnect, openIdConnectUrl: https://login.example.org}
      schemas:
        Order: {type: object, required: [id], properties: {id: {type: string}, state: {type: string, enum: [new, sent]}}}
`,
  'mkdocs.yml': `site_name: The shop
nav:
  - index.md
  - Guide:
      - guide/install.md
      - guide/run.md
`,
  'docs/index.md': `# Welcome to the shop

It sells. [Install it](guide/install.md#from-source), or look at [the code](../main.go).

!!! warning "Mind the gap"
    Between the *train* and the platform.

??? tip "More"
    Folded.

=== "Linux"
    Use \`apt\`.

=== "macOS"
    Use \`brew\`.

\`\`\`go title="main.go" linenums="1" hl_lines="2"
// main greets.
func main() { fmt.Println("hello", 42) }
\`\`\`

\`\`\`hcl
resource "shop_till" "front" {
  name = "till-\${var.region}" # beside the door
  size = 3
}
\`\`\`

\`\`\`console
$ shop open --at 9 | tee "the log"
open since 9
\`\`\`

\`\`\`text
func is no keyword here
\`\`\`

| Name | Price |
|------|------:|
| Tea  |     3 |

- [x] done
- [ ] not done, see [nowhere](nowhere.md)

\`\`\`mermaid
graph LR
  A[Browser] --> B[Shop]
\`\`\`
`,
  'docs/guide/install.md': `# Installing\n\n${'The walrus reads on and on.\n\n'.repeat(40)}## From source\n\nBuild it.\n\n## From a package\n\nFetch it.\n\n${'It goes on.\n\n'.repeat(40)}`,
  'docs/guide/run.md': '# Running\n\n## Alone\n\nx\n\n## Together\n\ny\n',
  'main.go': 'package main\n',
};

before(async () => {
  server = await start();
  await server.api('POST', '/repositories', {
    namespace: 'crew',
    name: 'shop',
  });
  await server.api('POST', '/repositories/crew/shop/commits', {
    branch: 'main',
    message: 'begin',
    changes: Object.entries(files).map(([path, text]) => ({ path, text })),
  });
  await server.api('POST', '/locations', { repository: 'crew/shop' });
  browser = await launch();
  page = await told.person(browser, server.url, server.link);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

chapter('an entity has its docs on its page', async () => {
  await page.goto('/catalog/component/default/shop');
  await page.getByRole('tab', { name: 'Docs' }).click();
  await page.getByRole('heading', { name: 'Welcome to the shop' }).waitFor();
  await picture(page, 'docs-tab', 'ROADBED_LOOKS');
  await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: 'Installing' }).click();
  await page.getByRole('heading', { name: 'Installing' }).waitFor();
  assert.equal(new URL(page.url()).pathname, '/docs/default/component/shop/guide/install');
  await page.goBack();
  await page.getByRole('heading', { name: 'Welcome to the shop' }).waitFor();
});

chapter('a page shows what was written, and its links lead on', async () => {
  await page.goto('/docs/default/component/shop');
  await page.getByText('Mind the gap').waitFor();
  const tabs = page.locator('article').getByRole('tab');
  assert.deepEqual(await tabs.allTextContents(), ['Linux', 'macOS']);
  assert.ok(!(await page.getByText('Use brew').isVisible()));
  await tabs.nth(1).click();
  assert.ok(await page.getByText('Use brew').isVisible());
  await page.getByRole('img', { name: 'Diagram' }).waitFor();
  const code = (language) => page.locator(`.doc-code[data-language=${language}]`);
  await code('go').locator('.doc-marked[data-line="2"] .tok-keyword', { hasText: 'func' }).waitFor();
  await code('hcl').locator('.tok-keyword', { hasText: 'resource' }).waitFor();
  await code('console').locator('.tok-keyword', { hasText: 'shop' }).waitFor();
  assert.equal(await code('text').locator('[class^=tok-]').count(), 0);
  assert.equal(
    await code('go').locator('pre').textContent(),
    '// main greets.\nfunc main() { fmt.Println("hello", 42) }\n',
  );
  await picture(page, 'docs-page', 'ROADBED_LOOKS');
  await told.sound(page, 'a page of docs');
  await page.getByRole('link', { name: 'Install it' }).click();
  const heading = page.getByRole('heading', { name: 'From source' });
  await heading.waitFor();
  assert.equal(new URL(page.url()).hash, '#from-source');
  await page.waitForFunction(() => document.getElementById('doc-from-source').getBoundingClientRect().top < 200);
  await page.getByRole('navigation', { name: 'On this page' }).getByRole('link', { name: 'From a package' }).click();
  await page.waitForURL(/#from-a-package$/);
  await page.goBack();
  await page.waitForURL(/#from-source$/);
  await page.getByRole('link', { name: /Next/ }).click();
  await page.getByRole('heading', { name: 'Running' }).waitFor();
});

chapter('the docs are searched', async () => {
  await page.getByLabel('Search these docs').fill('walrus');
  await page
    .getByRole('list', { name: 'Found' })
    .getByRole('link', { name: /Installing/ })
    .click();
  await page.getByRole('heading', { name: 'Installing' }).waitFor();
});

chapter('what is wrong is told, and corrected where it stands', async () => {
  await page.goto('/docs/default/component/shop');
  await page.getByRole('link', { name: /1 problem/ }).click();
  await page.getByRole('cell', { name: 'there is no page docs/nowhere.md' }).waitFor();
  await picture(page, 'docs-problems', 'ROADBED_LOOKS');
  await page.getByRole('button', { name: 'Back to the docs' }).click();
  await page.getByRole('link', { name: 'Edit this page' }).click();
  await page.waitForURL(/look=edit/);
  await page.getByRole('textbox').first().waitFor();
});

chapter('the list of docs leads to them', async () => {
  await page.goto('/docs');
  await page
    .getByRole('row', { name: /The shop shop/ })
    .getByRole('link', { name: 'The shop' })
    .click();
  await page.getByRole('heading', { name: 'Welcome to the shop' }).waitFor();
});

chapter('the definition of an API is read and compared', async () => {
  await server.api('POST', '/repositories/crew/shop/commits', {
    branch: 'changed',
    from: 'main',
    message: 'change the API',
    changes: [
      {
        path: 'catalog-info.yaml',
        text: files['catalog-info.yaml'].replace('enum: [new, sent]', 'enum: [new]').replace('[{key: []}, ', '['),
      },
    ],
  });
  await page.goto('/catalog/api/default/orders?tab=definition');
  await page.getByText('What was ordered').waitFor();
  await page.getByText('Authentication, one of').waitFor();
  await page.getByText('API key in the header X-Key').waitFor();
  await page.getByText('OpenID Connect of https://login.example.org with orders:read').waitFor();
  await page.locator('#type-Order > summary').click();
  await picture(page, 'docs-definition', 'ROADBED_LOOKS');
  await page.getByText('Changes', { exact: true }).click();
  await page.getByLabel('From').fill('main');
  await page.getByLabel('To', { exact: true }).fill('changed');
  const row = (where) => page.getByRole('row').filter({ hasText: where });
  await row('Order: state').filter({ hasText: 'the value sent is gone' }).filter({ hasText: 'fine' }).waitFor();
  await row('GET /orders: authentication').filter({ hasText: 'breaks' }).waitFor();
  await page.getByText('1 change breaks').waitFor();
  await picture(page, 'docs-changes', 'ROADBED_LOOKS');
});

chapter('an entity as it was has the docs and the definition of then, also when it is deleted', async () => {
  const tabs = () => page.getByRole('tablist').first().getByRole('tab').allTextContents();
  const [was] = (await server.api('GET', '/entities/api/default/orders/history')).items;
  const { commit } = await server.api('POST', '/repositories/crew/shop/commits', {
    branch: 'main',
    message: 'Order otherwise',
    changes: [
      { path: 'catalog-info.yaml', text: files['catalog-info.yaml'].replace('summary: List orders', 'summary: All orders').replace('{name: shop,', '{name: shop, title: The new shop,') },
      { path: 'docs/index.md', text: '# Welcome to the new shop\n\nSee nothing more.\n' },
    ],
  });
  assert.notEqual(commit, was.commit);
  await page.goto('/catalog/api/default/orders?tab=definition');
  await page.getByText('All orders').waitFor();
  await page.goto(`/catalog/api/default/orders?tab=definition&asOf=${encodeURIComponent(was.time)}`);
  await page.getByText('List orders').waitFor();
  assert.deepEqual(await tabs(), ['Overview', 'Definition', 'Docs', 'Relations', 'History', 'Document']);
  await page.goto(`/catalog/component/default/shop?tab=docs&asOf=${encodeURIComponent(was.time)}`);
  await page.getByRole('heading', { name: 'Welcome to the shop' }).waitFor();
  await told.sound(page, 'docs of the past');
  await picture(page, 'docs-past', 'ROADBED_LOOKS');
  await page.getByRole('link', { name: 'Its docs as they are now' }).click();
  await page.getByRole('heading', { name: 'Welcome to the new shop' }).waitFor();
  await page.goto(`/catalog/component/default/shop?tab=runs&asOf=${encodeURIComponent(was.time)}`);
  await page.getByRole('tab', { name: 'Overview', selected: true }).waitFor();
  await page.getByText('Scorecards, runs and what is delivered are known of now alone').waitFor();

  const { origin } = await server.api('GET', '/entities/api/default/orders');
  await server.api('DELETE', `/locations/${origin}`);
  await page.goto(`/catalog/api/default/orders?tab=definition&asOf=${encodeURIComponent(was.time)}`);
  await page.getByText('List orders').waitFor();
  await page.getByText('It was deleted since').waitFor();
  assert.deepEqual(await tabs(), ['Overview', 'Definition', 'Relations', 'History', 'Document']);
  for (const tab of ['Overview', 'Relations', 'History', 'Document']) {
    await page.getByRole('tab', { name: tab }).click();
    await page.getByRole('tabpanel', { name: tab }).waitFor();
    assert.equal(await page.getByRole('button', { name: 'Try again' }).count(), 0);
  }
  await server.api('POST', '/locations', { repository: 'crew/shop' });
  await server.api('POST', '/repositories/crew/shop/commits', { branch: 'main', message: 'As before', changes: [{ path: 'docs/index.md', text: files['docs/index.md'] }] });
});

chapter('a page fits a small and a dark screen', async () => {
  const small = await told.window(browser, server.url, {
    storageState: await page.context().storageState(),
    viewport: { width: 390, height: 844 },
    colorScheme: 'dark',
  });
  await small.goto('/docs/default/component/shop');
  await small.getByText('Mind the gap').waitFor();
  await small.getByRole('img', { name: 'Diagram' }).waitFor();
  await small.locator('.tok-keyword', { hasText: 'resource' }).waitFor();
  await picture(small, 'docs-small', 'ROADBED_LOOKS');
  const wide = await small.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  assert.ok(wide <= 0, `it is ${wide} px wider than the screen`);
  await small.locator('main').getByRole('button', { name: 'Pages', exact: true }).click();
  await small.getByRole('link', { name: 'Running' }).click();
  await small.getByRole('heading', { name: 'Running' }).waitFor();
  await told.sound(small, 'a small page of docs');
  told.end();
});
