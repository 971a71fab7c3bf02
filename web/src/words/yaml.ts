const plainText = /^[A-Za-z_/][\w ./@()+-]*$/;
const reserved = /^(true|false|null|yes|no|on|off|~)$/i;

/** Whether lines are read again as they are when they are indented. */
const asBlock = (text: string) => /^\S/.test(text) && !/[^\n\t\P{Cc}]/u.test(text);

function scalar(value: unknown, indent: string): string {
  if (typeof value !== 'string') return JSON.stringify(value) ?? 'null';
  if (value.includes('\n') && asBlock(value)) {
    const lines = value.replace(/\n$/, '').split('\n');
    const end = value.endsWith('\n\n') ? '|+' : value.endsWith('\n') ? '|' : '|-';
    return `${end}\n${lines.map((line) => (line ? `${indent}${line}` : '')).join('\n')}`;
  }
  return plainText.test(value) && !reserved.test(value) && !value.endsWith(' ') ? value : JSON.stringify(value);
}

const empty = (value: object) => (Array.isArray(value) ? value.length === 0 : Object.keys(value).length === 0);

/** Writes JSON as YAML for people to read. */
export function toYAML(value: unknown, indent = ''): string {
  if (value === null || typeof value !== 'object') return `${indent}${scalar(value, indent)}`;
  if (empty(value)) return `${indent}${Array.isArray(value) ? '[]' : '{}'}`;
  if (Array.isArray(value)) {
    return value.map((item) => `${indent}- ${toYAML(item, `${indent}  `).trimStart()}`).join('\n');
  }
  return Object.entries(value)
    .filter(([, v]) => v !== undefined)
    .map(([key, v]) => {
      const name = /^[\w./-]+$/.test(key) ? key : JSON.stringify(key);
      if (v !== null && typeof v === 'object' && !empty(v)) return `${indent}${name}:\n${toYAML(v, `${indent}  `)}`;
      if (v !== null && typeof v === 'object') return `${indent}${name}: ${Array.isArray(v) ? '[]' : '{}'}`;
      return `${indent}${name}: ${scalar(v, `${indent}  `)}`;
    })
    .join('\n');
}
