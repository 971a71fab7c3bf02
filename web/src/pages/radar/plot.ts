import type { Radar, RadarEntry } from '../../api/types';

export interface Spot {
  entry: RadarEntry;
  number: number;
  x: number;
  y: number;
}

/** The share of the radius at which a ring ends; the inner ones are wider, since they hold the most. */
export function ringEnd(rings: number, ring: number): number {
  return Math.sqrt((ring + 1) / rings);
}

/** A number between 0 and 1 that is the same for a text each time. */
function scatter(text: string): number {
  let hash = 2166136261;
  for (const c of text) hash = Math.imul(hash ^ (c.codePointAt(0) ?? 0), 16777619);
  return (hash >>> 0) / 2 ** 32;
}

/** Where the entries are on a radar of some radius around 0, 0: each in its quadrant and ring, evenly along the ring. */
export function plot(radar: Pick<Radar, 'quadrants' | 'rings' | 'entries'>, radius: number): Spot[] {
  const spots: Spot[] = [];
  let number = 0;
  radar.quadrants.forEach((quadrant, q) => {
    radar.rings.forEach((ring, r) => {
      const here = radar.entries.filter((e) => e.quadrant === quadrant.id && e.ring === ring.id);
      const from = r === 0 ? 0.12 : ringEnd(radar.rings.length, r - 1);
      const room = ringEnd(radar.rings.length, r) - from;
      here.forEach((entry, i) => {
        const angle = (q - 1) * (Math.PI / 2) + ((i + 0.5) / here.length) * (Math.PI / 2) * 0.9 + Math.PI * 0.025;
        const away = radius * (from + room * (0.25 + 0.5 * (here.length > 1 ? (i % 3) / 2 : scatter(entry.id))));
        number += 1;
        spots.push({ entry, number, x: away * Math.cos(angle), y: away * Math.sin(angle) });
      });
    });
  });
  return spots;
}
