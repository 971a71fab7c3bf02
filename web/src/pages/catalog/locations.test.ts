import { afterEach, describe, expect, it, vi } from 'vitest';
import { api } from '../../api/client';
import { goingWith, readBy, registeredBy } from './locations';

const shop = { ref: 'component:default/shop', source: 'crew/all/shop.yaml', location: 'loc_2', origin: 'loc_1' };
const till = { ref: 'component:default/till', source: 'crew/all/till.yaml', location: 'loc_3', origin: 'loc_1' };
const kept = {
  ref: 'component:default/kept',
  source: 'crew/all/kept.yaml',
  location: 'loc_2',
  origin: 'loc_1',
  orphan: true,
};
const lone = { ref: 'component:default/lone', source: 'location:loc_9', location: 'loc_9', orphan: true };
const applied = { ref: 'group:default/crew', source: 'apply' };

describe('the locations of entities', () => {
  it('are read each once, and what comes from none is told apart', () => {
    expect(readBy([shop, till, kept, lone, applied])).toEqual({
      locations: [
        { id: 'loc_2', source: shop.source, refs: [shop.ref, kept.ref] },
        { id: 'loc_3', source: till.source, refs: [till.ref] },
      ],
      others: [lone.ref, applied.ref],
    });
  });
  it('go as they were registered, while orphans go by themselves', () => {
    expect(registeredBy([shop, till, kept, lone, applied])).toEqual({
      locations: [{ id: 'loc_1', source: shop.source, refs: [shop.ref, till.ref] }],
      orphans: [kept.ref, lone.ref],
      others: [applied.ref],
    });
  });
});

describe('what goes with locations', () => {
  afterEach(() => vi.restoreAllMocks());
  const chosen = ['loc_1', 'loc_2'].map((id) => ({ id, source: `${id}.yaml`, refs: [`component:default/${id}`] }));
  function answering(wrong: (path: string, id: string) => number) {
    vi.spyOn(api, 'GET').mockImplementation(((path: string, { params }: { params: Params }) => {
      const id = params.path?.id ?? params.query?.location ?? '';
      const status = wrong(path, id);
      if (status) {
        return Promise.resolve({ error: { title: 'No', detail: 'not now' }, response: new Response(null, { status }) });
      }
      const data = path.includes('locations')
        ? { repository: 'crew/all', ref: 'main', path: `${id}.yaml` }
        : { total: 7, items: [{ ref: `component:default/${id}` }] };
      return Promise.resolve({ data, response: new Response() });
    }) as unknown as typeof api.GET);
  }
  interface Params {
    path?: { id: string };
    query?: { location: string };
  }

  it('is all that came from them', async () => {
    answering(() => 0);
    expect(await goingWith(chosen)).toEqual(
      chosen.map((c) => ({ ...c, name: `crew/all@main:${c.id}.yaml`, total: 7, some: c.refs })),
    );
  });
  it('is counted of many, of which the first are named', async () => {
    answering(() => 0);
    const many = [...Array(30).keys()].map((n) => ({ id: `loc_${n}`, source: `${n}.yaml`, refs: [] }));
    let last = 0;
    const going = await goingWith(many, {
      told: (done) => {
        last = done;
      },
    });
    expect(going.map((g) => g.total)).toEqual(many.map(() => 7));
    expect([going[0]?.name, going[29]?.name]).toEqual(['crew/all@main:loc_0.yaml', '29.yaml']);
    expect(last).toBe(30);
  });
  it.each([
    ['/api/v1/locations/{id}', 503],
    ['/api/v1/entities', 429],
  ])('fails when %s of one of them answers %d', async (path, status) => {
    answering((asked, id) => (asked === path && id === 'loc_2' ? status : 0));
    await expect(goingWith(chosen)).rejects.toThrow('loc_2.yaml: not now');
  });
});
