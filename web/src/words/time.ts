const units: [Intl.RelativeTimeFormatUnit, number][] = [
  ['year', 31_536_000],
  ['month', 2_592_000],
  ['week', 604_800],
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
];

const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });
const exact = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'long' });

/** Says how long ago, or in how long, a moment is: "3 minutes ago", "just now", "tomorrow". */
export function ago(moment: string | number | Date, now: number = Date.now()): string {
  const seconds = Math.round((new Date(moment).getTime() - now) / 1000);
  if (!Number.isFinite(seconds)) return 'at an unknown time';
  for (const [unit, size] of units) {
    if (Math.abs(seconds) >= size) return relative.format(Math.trunc(seconds / size), unit);
  }
  if (Math.abs(seconds) < 10) return 'just now';
  return relative.format(seconds, 'second');
}

/** The moment in full, with its zone. */
export function full(moment: string | number | Date): string {
  const date = new Date(moment);
  return Number.isFinite(date.getTime()) ? exact.format(date) : String(moment);
}

/** A length of time in two units at most: "850 ms", "4.2 s", "3 min 5 s", "2 h 10 min". */
export function duration(milliseconds: number): string {
  if (!Number.isFinite(milliseconds) || milliseconds < 0) return '';
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  const seconds = milliseconds / 1000;
  if (seconds < 59.95) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const minutes = Math.floor(Math.round(seconds) / 60);
  if (minutes < 60) return `${minutes} min ${Math.round(seconds) % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** How long something took, or takes until now; empty when it has not begun. */
export function took(started?: string, ended?: string, now: number = Date.now()): string {
  if (!started) return '';
  return duration(Math.max(0, (ended ? Date.parse(ended) : now) - Date.parse(started)));
}

/** Bytes for people: "812 B", "4.1 KB", "2.0 MB". */
export function bytes(n: number): string {
  if (n < 1000) return `${n} B`;
  let value = n;
  for (const unit of ['KB', 'MB', 'GB']) {
    value /= 1000;
    if (value < 999.95) return `${value.toFixed(1)} ${unit}`;
  }
  return `${(value / 1000).toFixed(1)} TB`;
}
