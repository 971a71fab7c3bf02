// Has Backstage's own client use a Roadbed server, every method of it:
//   node client.mjs URL TOKEN BASE
// where BASE is the address by which the server knows itself.
// The server has a repository team/shop with the files that TestBackstagesOwnClient pushes; the token is of somebody who
// may develop there.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const { CatalogClient, CATALOG_FILTER_EXISTS } = require('@backstage/catalog-client');
const { stringifyEntityRef, EntityPolicies, SchemaValidEntityPolicy, FieldFormatEntityPolicy, getEntitySourceLocation, RELATION_OWNED_BY } =
  require('@backstage/catalog-model');

const [url, token, base] = process.argv.slice(2);
const used = new Set();
const real = new CatalogClient({ discoveryApi: { getBaseUrl: async id => `${url}/api/${id}` }, fetchApi: { fetch } });
const client = new Proxy(real, {
  get(target, name) {
    used.add(name);
    return (...args) => target[name](...args);
  },
});
const as = { token };
process.on('uncaughtException', error => {
  console.error(error.stack, JSON.stringify(error.body));
  process.exit(1);
});
const names = entities => entities.map(e => e?.metadata.name ?? 'null').join(' ');
const fails = async (promise, status, name) => {
  const error = await promise.then(() => assert.fail(`no error ${status}`), e => e);
  assert.equal(error.name, 'ResponseError', error.stack);
  assert.equal(error.statusCode, status, JSON.stringify(error.body));
  assert.equal(error.cause.name, name);
  assert.ok(error.cause.message);
  assert.ok(error.body.request.url.startsWith('/'));
};

// Nobody is refused.
await fails(client.getEntities(), 401, 'AuthenticationError');
await fails(client.getEntities({}, { token: 'nonsense' }), 401, 'AuthenticationError');

// A location, before and after.
const file = `${base}/git/team/shop/catalog-info.yaml`;
const dry = await client.addLocation({ target: file, dryRun: true }, as);
assert.equal(dry.exists, false);
assert.match(names(dry.entities), /^generated-[0-9a-f]{40} /);
assert.equal(dry.entities.length, 24);
assert.equal(await client.getEntityByRef('component:default/c03', as), undefined);
const { location } = await client.addLocation({ type: 'url', target: file }, as);
assert.equal(location.target, file);
await fails(client.addLocation({ target: file }, as), 409, 'ConflictError');
assert.deepEqual((await client.addLocation({ target: file, onConflict: 'refresh' }, as)).location, location);
await fails(client.addLocation({ target: `${base}/git/team/none/x.yaml` }, as), 400, 'InputError');
await fails(client.addLocation({ target: `${base}/git/team/shop/wrong.yaml`, dryRun: true }, as), 400, 'InputError');
assert.equal((await client.addLocation({ target: file, dryRun: true }, as)).exists, true);
const { items } = await client.getLocations({}, as);
assert.deepEqual(items.find(l => l.id === location.id), location);
assert.deepEqual(await client.getLocationById(location.id, as), location);
assert.equal(await client.getLocationById('none', as), undefined);
assert.deepEqual(await client.getLocationByEntity('component:default/c03', as), location);
assert.equal(await client.getLocationByEntity('component:default/none', as), undefined);
assert.deepEqual((await client.queryLocations({ limit: 1, query: { target: file } }, as)).items, [location]);

// Entities: one, many, chosen, in parts. They stand before Backstage's own rules.
const shop = await client.getEntityByRef('Component:Default/Shop', as);
assert.equal(stringifyEntityRef(shop), 'component:default/shop');
await EntityPolicies.allOf([new SchemaValidEntityPolicy(), new FieldFormatEntityPolicy()]).enforce(shop);
assert.equal(getEntitySourceLocation(shop).target, `${base}/git/team/shop/`);
assert.deepEqual(shop.relations.filter(r => r.type === RELATION_OWNED_BY), [{ type: 'ownedBy', targetRef: 'group:default/team' }]);
assert.ok(shop.relations.some(r => r.type === 'hasPart' && r.targetRef === 'component:default/part'));
assert.deepEqual(await client.getLocationByRef(shop.metadata.annotations['backstage.io/managed-by-origin-location'], as), location);
assert.deepEqual(await client.getEntityByName({ kind: 'component', name: 'shop' }, as), shop);

const components = { kind: 'component' };
const everything = (await client.getEntities(undefined, as)).items;
assert.ok(everything.length > 23);
assert.equal((await client.getEntities({ filter: components }, as)).items.length, 22);
assert.equal(names((await client.getEntities({ filter: { ...components, 'metadata.tags.go': CATALOG_FILTER_EXISTS } }, as)).items), 'shop');
assert.equal(names((await client.getEntities({ filter: [{ kind: 'component', 'metadata.name': ['c01', 'C02'] }, { kind: 'group', 'metadata.name': 'team' }], order: { field: 'metadata.name', order: 'desc' } }, as)).items), 'team c02 c01');
assert.deepEqual((await client.getEntities({ filter: { 'metadata.name': 'shop' }, fields: ['kind', 'metadata.name', 'metadata.annotations.example.org/note'] }, as)).items, [
  { kind: 'Component', metadata: { name: 'shop', annotations: { 'example.org/note': 'a, b & c' } } },
]);
assert.equal(names((await client.getEntities({ filter: components, limit: 3, offset: 2, order: { field: 'metadata.name', order: 'asc' } }, as)).items), 'c02 c03 c04');
// What comes from one location, as when it is unregistered.
const origin = { 'metadata.annotations.backstage.io/managed-by-origin-location': `url:${file}` };
assert.equal((await client.getEntities({ filter: origin, fields: ['metadata.name'] }, as)).items.length, 23);
assert.equal(names((await client.getEntities({ filter: { 'metadata.annotations.backstage.io/managed-by-location': `url:${base}/git/team/shop/more.yaml` } }, as)).items), 'part');

const refs = ['component:default/c01', 'component:default/none', 'component:default/shop'];
assert.equal(names((await client.getEntitiesByRefs({ entityRefs: refs, fields: ['metadata.name'] }, as)).items), 'c01 null shop');
assert.equal(names((await client.getEntitiesByRefs({ entityRefs: refs, filter: { 'metadata.tags': 'go' } }, as)).items), 'null null shop');
assert.equal(names((await client.getEntitiesByRefs({ entityRefs: refs, query: { 'spec.type': 'library' } }, as)).items), 'c01 null null');
const many = Array.from({ length: 2500 }, (_, i) => `component:default/${i % 2 ? 'shop' : `none${i}`}`);
assert.equal((await client.getEntitiesByRefs({ entityRefs: many, fields: ['kind'] }, as)).items.filter(Boolean).length, 1250);

// Cursors, by filter (GET) and by predicate (POST), there and back.
for (const first of [
  { filter: components, limit: 9, orderFields: { field: 'metadata.name', order: 'asc' } },
  { filter: components, limit: 9, orderFields: { field: 'metadata.title', order: 'desc' }, fields: ['metadata.name'] },
  { filter: components, limit: 9 },
  { query: { $all: [components, { $not: { kind: 'api' } }] }, limit: 9, orderFields: [{ field: 'metadata.name', order: 'desc' }] },
  { query: components, filter: { 'spec.type': ['library', 'service'] }, limit: 9, orderFields: { field: 'metadata.name', order: 'asc' } },
  { limit: 9, fullTextFilter: { term: 'title', fields: ['metadata.title'] }, orderFields: { field: 'metadata.title', order: 'asc' } },
]) {
  const fields = first.fields ? { fields: first.fields } : {};
  const total = first.fullTextFilter || first.orderFields?.field === 'metadata.title' ? 20 : 22;
  const pages = [await client.queryEntities(first, as)];
  while (pages.at(-1).pageInfo.nextCursor) {
    pages.push(await client.queryEntities({ cursor: pages.at(-1).pageInfo.nextCursor, limit: 9, ...fields }, as));
    assert.ok(pages.length < 9);
  }
  const seen = pages.flatMap(p => p.items.map(e => e.metadata.name));
  assert.equal(pages.length, 3);
  assert.equal(new Set(seen).size, total);
  for (const p of pages) assert.equal(p.totalItems, total);
  if (first.fields) assert.deepEqual(Object.keys(pages[2].items[0].metadata), ['name']);
  let back = pages[2];
  for (const page of [pages[1], pages[0]]) {
    back = await client.queryEntities({ cursor: back.pageInfo.prevCursor, limit: 9, ...fields }, as);
    assert.equal(names(back.items), names(page.items));
    assert.ok(back.pageInfo.nextCursor);
  }
  assert.equal(back.pageInfo.prevCursor, undefined);
}
assert.equal((await client.queryEntities({ filter: components, limit: 0 }, as)).totalItems, 22);
assert.equal((await client.queryEntities({ filter: components, limit: 1, totalItems: 'exclude' }, as)).totalItems, 0);
assert.equal(names((await client.queryEntities({ query: { 'metadata.name': { $hasPrefix: 'C0' } }, offset: 8, orderFields: { field: 'metadata.name', order: 'asc' } }, as)).items), 'c08 c09');
assert.equal(names((await client.queryEntities({ query: { relations: { $contains: { type: 'dependsOn', targetRef: 'component:default/shop' } } } }, as)).items), 'c00');
assert.equal(names((await client.queryEntities({ query: { 'metadata.tags': { $exists: true }, kind: { $in: ['component', 'api'] } } }, as)).items), 'shop');
assert.equal(names((await client.queryEntities({ filter: components, fullTextFilter: { term: ' SHO ' }, orderFields: { field: 'metadata.name', order: 'asc' } }, as)).items), 'shop');
await fails(client.queryEntities({ query: { kind: { $foo: 1 } } }, as), 400, 'InputError');

let streamed = 0;
for await (const page of client.streamEntities({ filter: components, pageSize: 10 }, as)) streamed += page.length;
assert.equal(streamed, 22);
let locations = 0;
for await (const page of client.streamLocations({ limit: 1 }, as)) locations += page.length;
assert.equal(locations, items.length);

// Counts.
const facets = await client.getEntityFacets({ facets: ['spec.type', 'metadata.tags', 'nosuch'], filter: components }, as);
assert.deepEqual(facets, { facets: { 'spec.type': [{ value: 'library', count: 20 }, { value: 'service', count: 2 }], 'metadata.tags': [{ value: 'go', count: 1 }, { value: 'java', count: 1 }], nosuch: [] } });
assert.deepEqual((await client.getEntityFacets({ facets: ['kind'], query: { 'metadata.name': { $in: ['shop', 'c01'] } } }, as)).facets, { kind: [{ value: 'Component', count: 2 }] });

// Where it came from, and reading it again.
const ancestors = await client.getEntityAncestors({ entityRef: 'component:default/part' }, as);
assert.equal(ancestors.rootEntityRef, 'component:default/part');
assert.deepEqual(ancestors.items.map(i => [stringifyEntityRef(i.entity), ...i.parentEntityRefs]), [
  ['component:default/part', 'location:default/all'], ['location:default/all', location.entityRef], [location.entityRef],
]);
assert.equal((await client.getEntityByRef(location.entityRef, as)).spec.target, file);
await client.refreshEntity('component:default/shop', as);
await fails(client.refreshEntity('component:default/none', as), 404, 'NotFoundError');

// What would be taken.
const entity = { apiVersion: 'backstage.io/v1alpha1', kind: 'Component', metadata: { name: 'x' }, spec: { type: 'a', lifecycle: 'b', owner: 'c' } };
assert.deepEqual(await client.validateEntity(entity, `url:${file}`, as), { valid: true });
const invalid = await client.validateEntity({ ...entity, spec: {} }, `url:${file}`, as);
assert.equal(invalid.valid, false);
assert.ok(invalid.errors.length > 0 && invalid.errors.every(e => e.name && e.message));
assert.equal((await client.validateEntity(entity, 'file:x', as)).valid, false);
const analysis = await client.analyzeLocation({ location: { type: 'url', target: `${base}/git/team/shop` } }, as);
assert.ok(analysis.existingEntityFiles.length === 22 && analysis.existingEntityFiles.every(f => f.isRegistered));
assert.equal((await client.analyzeLocation({ location: { type: 'url', target: 'https://github.com/acme/new' } }, as)).generateEntities[0].entity.metadata.annotations['github.com/project-slug'], 'acme/new');

// Away with it.
const moved = await client.updateLocation(location.id, { target: `${base}/git/team/shop/more.yaml` }, as);
assert.equal(moved.id, location.id);
assert.equal(await client.getEntityByRef('component:default/shop', as), undefined);
assert.equal((await client.getEntityByRef('component:default/part', as)).metadata.name, 'part');
await fails(client.removeEntityByUid((await client.getEntityByRef('component:default/part', as)).metadata.uid, as), 409, 'ConflictError');
await client.removeLocationById(location.id, as);
assert.equal(await client.getEntityByRef('component:default/part', as), undefined);
await fails(client.removeLocationById(location.id, as), 404, 'NotFoundError');
const applied = await client.getEntityByRef('resource:default/applied', as);
await client.removeEntityByUid(applied.metadata.uid, as);
assert.equal(await client.getEntityByRef('resource:default/applied', as), undefined);

const inner = ['constructor', 'queryEntitiesByPredicate', 'getEntityFacetsByPredicate', 'requestIgnored', 'requestRequired', 'requestOptional', 'getFilterValue'];
const unused = Object.getOwnPropertyNames(CatalogClient.prototype).filter(name => !used.has(name) && !inner.includes(name));
assert.deepEqual(unused, [], 'methods of the client that were not used');
console.log(`${used.size} methods`);
