/** The methods that write. */
export const unsafe = new Set(['POST', 'PUT', 'PATCH', 'DELETE']);

/** A key by which a write that is sent again is done once. */
export function newKey(): string {
  // crypto.randomUUID is only there over HTTPS and on localhost.
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, '0')).join('');
}

/** Between the attempts of a write whose connection broke, in milliseconds: enough for a server to be started anew. */
const pauses = [300, 1_000, 3_000];

/** Sends a request. A write whose connection broke is sent again with its key, so that it is done once. */
export async function send(request: Request, wait = pauses): Promise<Response> {
  if (!unsafe.has(request.method)) return fetch(request);
  for (let attempt = 0; ; attempt++) {
    const pause = wait[attempt];
    try {
      const response = await fetch(request.clone());
      const underWay = attempt > 0 && response.status === 409 && response.headers.has('Retry-After');
      if (!underWay || pause === undefined) return response;
    } catch (err) {
      if (pause === undefined || request.signal.aborted) throw err;
    }
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

/** Carries a session's second proof. */
export const proofHeader = 'X-CSRF-Token';

/**
 * Sends a request; a write that was refused goes out once more when the session has another proof by now, as after
 * signing in anew in another window.
 */
export async function sendProven(request: Request, provenAnew: () => Promise<string>): Promise<Response> {
  const again = unsafe.has(request.method) ? request.clone() : undefined;
  const response = await send(request);
  if (response.status !== 403 || !again?.headers.has(proofHeader)) return response;
  const proof = await provenAnew();
  if (!proof || proof === again.headers.get(proofHeader)) return response;
  again.headers.set(proofHeader, proof);
  return send(again);
}
