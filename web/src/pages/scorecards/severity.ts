import type { Severity } from '../../api/types';

/** How bad a finding may be, the worst first. */
export const severities: Severity[] = ['critical', 'high', 'medium', 'low', 'info'];

/** How many there are of each severity that there are any of, the worst first. */
export function found(counts: Record<string, number>): { severity: Severity; count: number }[] {
  return severities.map((severity) => ({ severity, count: counts[severity] ?? 0 })).filter(({ count }) => count > 0);
}

/** A value as people read it, with its unit. */
export function measure(value: number, unit?: string): string {
  const small = value !== 0 && Math.abs(value) < 1;
  const text = value.toLocaleString('en', small ? { maximumSignificantDigits: 4 } : { maximumFractionDigits: 3 });
  if (!unit) return text;
  return unit === '%' ? `${text}%` : `${text} ${unit}`;
}
