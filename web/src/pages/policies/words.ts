import type { Policy } from '../../api/types';
import { shortRef } from '../../words/ref';

/** What a policy is asked about, within its space and below. */
export function attachedTo(policy: Pick<Policy, 'disabled' | 'labels' | 'subjects'>): string {
  if (policy.disabled) return 'nothing: it is disabled';
  const some = [
    ...(policy.labels ?? []).map((l) => (l === '*' ? 'everything' : l)),
    ...(policy.subjects ?? []).map(shortRef),
  ];
  return some.length > 0 ? some.join(', ') : 'everything';
}

/** What tells a policy as it is now from any other, and from itself before a change. */
export const asItIs = ({ ref, version, labels }: Pick<Policy, 'ref' | 'version' | 'labels'>) =>
  JSON.stringify([ref, version, labels ?? []]);

/** Rules whose words go against something. */
const harsh = ['deny', 'reject', 'fail', 'ignore', 'warn'];

/** An outcome in one line, the gravest rule first; an empty one says nothing against anything. */
export function inOneLine(outcome: Record<string, string[] | null>): string {
  const rules = Object.entries(outcome).filter(([, said]) => (said ?? []).length > 0);
  const place = (rule: string) => (harsh.includes(rule) ? harsh.indexOf(rule) : harsh.length);
  rules.sort(([a], [b]) => place(a) - place(b) || a.localeCompare(b));
  return rules.map(([rule, said]) => `${rule}: ${(said ?? []).join('; ')}`).join(', ') || 'nothing was said';
}

/** How far something is, in whole percent; a total that is passed meanwhile is all. */
export function percent(looked: number, total: number): number {
  return total > 0 ? Math.min(100, Math.floor((looked / total) * 100)) : 0;
}

/** A policy's document with another source. */
export function withRego(document: unknown, rego: string): unknown {
  const whole = (document && typeof document === 'object' ? document : {}) as { spec?: object };
  return { ...whole, spec: { ...whole.spec, rego } };
}
