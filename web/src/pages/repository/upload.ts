import type { FileChange } from '../../api/code';
import type { TreeEntry } from '../../api/types';
import { bytes } from '../../words/time';

/** What the server takes in one commit; more is pushed with git. */
export const most = { files: 100, bytes: 5 * 1024 * 1024 };

/** A file that was chosen, and what it is to be called within its folder. */
export interface Chosen {
  name: string;
  size: number;
  /** In Base64. */
  content: string;
}

/** What keeps a name from being one of a file in a repository, on any system that it may be cloned to. */
export function wrongName(name: string): string | undefined {
  if (name === '' || name.startsWith('/') || name.endsWith('/')) return 'Give it a name';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\\\u0000-\u001f\u007f]/.test(name)) return 'No backslash and no control character is taken';
  for (const part of name.split('/')) {
    if (part === '' || part === '.' || part === '..') return 'It is not a path';
    if (/^(\.git|git~1)[. ]*$/i.test(part)) return "This name is git's own";
    if (new TextEncoder().encode(part).length > 255) return 'It is too long';
  }
  return undefined;
}

export interface Told {
  path: string;
  bad?: string;
  /** The hash of what it takes the place of; '' for nothing. */
  base: string;
}

/** What becomes of each file that was chosen, beside what is in the folder. */
export function tellOf(files: Chosen[], folder: string, there: TreeEntry[]): Told[] {
  const known = new Map(there.map((e) => [e.path, e]));
  const seen = new Map<string, number>();
  for (const f of files) seen.set(f.name, (seen.get(f.name) ?? 0) + 1);
  return files.map(({ name }) => {
    const path = folder + name;
    const now = known.get(path);
    let bad = wrongName(name);
    if (!bad && (seen.get(name) ?? 0) > 1) bad = 'Another one is called that';
    if (!bad && now && now.type !== 'blob') bad = 'There is a folder of this name';
    return { path, bad, base: now?.type === 'blob' ? now.hash : '' };
  });
}

/** What is too much of the files together. */
export function tooMuch(files: Chosen[]): string | undefined {
  if (files.length > most.files)
    return `These are ${files.length} files. One commit takes at most ${most.files}: take some away, or push them with git.`;
  const total = files.reduce((sum, f) => sum + f.size, 0);
  if (total > most.bytes)
    return `These have ${bytes(total)}. One commit takes at most ${bytes(most.bytes)}: take some away, or push them with git; large ones best by Git LFS.`;
  return undefined;
}

export function changesOf(files: Chosen[], told: Told[]): FileChange[] {
  return files.map((f, i) => ({ path: told[i]?.path ?? f.name, bytes: f.content, base: told[i]?.base ?? '' }));
}

/** Reads what was chosen. What alone is too large is not read, and says so, as does what can't be read. */
export async function read(picked: File[]): Promise<{ files: Chosen[]; refused: string[] }> {
  const files: Chosen[] = [];
  const refused: string[] = [];
  for (const file of picked.slice(0, 2 * most.files)) {
    if (file.size > most.bytes) {
      refused.push(
        `${file.name} has ${bytes(file.size)}; at most ${bytes(most.bytes)} are taken here. Push it with git, best by Git LFS.`,
      );
      continue;
    }
    try {
      files.push({ name: file.name, size: file.size, content: base64(new Uint8Array(await file.arrayBuffer())) });
    } catch {
      refused.push(`${file.name} can't be read. If it is a folder, drop the files in it.`);
    }
  }
  if (picked.length > 2 * most.files) refused.push(`Of ${picked.length} files the first ${2 * most.files} were taken.`);
  return { files, refused };
}

/** Adds files to those that were chosen: one of the same name takes the place of the earlier one. */
export function withMore(files: Chosen[], more: Chosen[]): Chosen[] {
  const names = new Set(more.map((f) => f.name));
  return [...files.filter((f) => !names.has(f.name)), ...more];
}

export function base64(content: Uint8Array): string {
  const parts: string[] = [];
  for (let at = 0; at < content.length; at += 0x8000)
    parts.push(String.fromCharCode(...content.subarray(at, at + 0x8000)));
  return btoa(parts.join(''));
}
