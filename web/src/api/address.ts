interface Place {
  path?: Record<string, string>;
  query?: Record<string, string | number | undefined>;
}

/** The address of a path of the API with its parameters filled in, whatever they hold. */
export function address(path: string, { path: parameters = {}, query = {} }: Place = {}): string {
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(parameters[name] ?? ''));
  const asked = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) asked.set(name, String(value));
  return asked.size > 0 ? `${filled}?${asked}` : filled;
}
