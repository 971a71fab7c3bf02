// Errors as the server tells them: problem documents (RFC 9457).

export interface Place {
  message: string;
  location?: string;
}

export class Problem extends Error {
  readonly status: number;
  readonly title: string;
  readonly places: Place[];

  constructor(status: number, title: string, detail: string, places: Place[] = []) {
    super(detail || title);
    this.name = 'Problem';
    this.status = status;
    this.title = title;
    this.places = places;
  }
}

/** Reads what an answer that is no success says; any body will do. */
export function problemOf(status: number, statusText: string, body: unknown): Problem {
  if (typeof body === 'string') {
    const text = body.trim();
    const looksLikePage = text.startsWith('<');
    return new Problem(status, statusText || `HTTP ${status}`, looksLikePage ? '' : text.slice(0, 2000));
  }
  const p = (body ?? {}) as { title?: unknown; detail?: unknown; errors?: unknown };
  const places: Place[] = [];
  if (Array.isArray(p.errors)) {
    for (const e of p.errors) {
      if (typeof e?.message === 'string') {
        places.push({
          message: e.message,
          location: typeof e.location === 'string' && e.location ? e.location : undefined,
        });
      }
    }
  }
  const title = typeof p.title === 'string' && p.title ? p.title : statusText || `HTTP ${status}`;
  return new Problem(status, title, typeof p.detail === 'string' ? p.detail : '', places);
}

/** Turns whatever was thrown into something that can be shown. */
export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof TypeError) {
    return new Problem(
      0,
      'The server does not answer',
      'Check that it runs and that you are connected, then try again.',
    );
  }
  return new Problem(0, 'Something went wrong in this page', error instanceof Error ? error.message : String(error));
}

/**
 * Places that name a field of a form, by the field's name. The server names fields as body.values.name,
 * values.name, or with a slash; what names none of the fields is left out.
 */
export function fieldErrors(problem: Problem, fields: string[]): Record<string, string[]> {
  const found: Record<string, string[]> = {};
  for (const place of problem.places) {
    const parts = (place.location ?? '').split(/[./[\]\s]+/).filter(Boolean);
    const field = fields.find((f) => parts.includes(f));
    if (field) found[field] = [...(found[field] ?? []), place.message];
  }
  return found;
}
