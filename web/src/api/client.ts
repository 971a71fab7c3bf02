import createClient, { type Middleware } from 'openapi-fetch';
import { Problem, problemOf } from './problem';
import type { paths } from './schema';
import { newKey, proofHeader, sendProven, unsafe } from './send';
import type { Me, Whole } from './types';

/** The session's second proof; it lives in memory only and is asked for anew after a reload. */
const proof = { csrf: '', of: '' };
export function keepProof(who: Pick<Me, 'csrf' | 'ref'> | null) {
  proof.csrf = who?.csrf ?? '';
  proof.of = who?.ref ?? '';
}

/** The session's second proof as it is now, when it is still that of the same person. */
async function provenAnew(): Promise<string> {
  const response = await fetch('/api/v1/whoami', { credentials: 'same-origin' });
  if (!response.ok) return '';
  const who = (await response.json()) as Me;
  if (who.ref !== proof.of) return '';
  keepProof(who);
  return proof.csrf;
}

const session: Middleware = {
  onRequest({ request }) {
    if (!unsafe.has(request.method)) return request;
    if (proof.csrf) request.headers.set(proofHeader, proof.csrf);
    if (!request.headers.has('Idempotency-Key')) request.headers.set('Idempotency-Key', newKey());
    return request;
  },
};

export const api = createClient<paths>({
  baseUrl: globalThis.location?.origin,
  credentials: 'same-origin',
  fetch: (request) => sendProven(request, provenAnew),
});
api.use(session);

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** Gives the body of an answer, or throws what the server said against it. */
export async function body<T>(answer: Promise<Answer<T>>): Promise<Whole<T>> {
  const { data, error, response } = await answer;
  if (!response.ok) throw problemOf(response.status, response.statusText, error);
  if (data === undefined && response.status !== 204) {
    throw new Problem(response.status, 'An empty answer', 'The server answered without saying anything; try again.');
  }
  return whole(data) as Whole<T>;
}

/** A list of the answer itself that is null becomes an empty one; what lies deeper never is null. */
function whole(data: unknown): unknown {
  if (data && typeof data === 'object' && 'items' in data && data.items === null) return { ...data, items: [] };
  return data;
}

/** Reads plain text, such as logs. */
export async function text(path: string): Promise<{ text: string; headers: Headers }> {
  const response = await fetch(path, { credentials: 'same-origin' });
  const content = await response.text();
  if (!response.ok) {
    let parsed: unknown = content;
    try {
      parsed = JSON.parse(content);
    } catch {
      // not a problem document: the text itself is shown
    }
    throw problemOf(response.status, response.statusText, parsed);
  }
  return { text: content, headers: response.headers };
}
