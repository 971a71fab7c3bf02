import { describe, expect, it } from 'vitest';
import { readBy, registeredBy } from './locations';

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
