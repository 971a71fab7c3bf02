/** The words of the addresses of pages with filters: the router knows them before the pages are there. */

/** What the address of the catalog says; `location` is the id of the one that entities came from, `view` that of the saved view that was opened. */
export const catalogWords = [
  'text',
  'kind',
  'owner',
  'below',
  'space',
  'namespace',
  'type',
  'lifecycle',
  'system',
  'tag',
  'mine',
  'starred',
  'gap',
  'location',
  'failed',
  'orphan',
  'sort',
  'columns',
  'view',
  'asOf',
] as const;

/** The words of the address of the page of resources. */
export const resourceWords = [
  'text',
  'stack',
  'type',
  'provider',
  'owner',
  'space',
  'orphan',
  'drifted',
  'show',
] as const;

/** The words of the address of the page of stacks. */
export const stackWords = ['text', 'space', 'state', 'drifted', 'queued', 'set'] as const;
