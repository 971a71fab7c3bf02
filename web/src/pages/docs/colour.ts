/** Blocks above this stay plain, in characters. */
const largest = 64 << 10;

/** Colours the code of a page, block after block. What does it comes only with the first page that has any. */
export async function colour(root: HTMLElement, ended: () => boolean) {
  const blocks = root.querySelectorAll<HTMLElement>('.doc-code[data-language]');
  if (blocks.length === 0) return;
  const { highlightNamed } = await import('../../code/highlight');
  for (const block of blocks) {
    const text = block.querySelector('code')?.textContent ?? '';
    const lines = text.length > largest ? undefined : await highlightNamed(text, block.dataset.language ?? '');
    if (ended()) return;
    if (!lines) continue;
    for (const [i, line] of block.querySelectorAll('.doc-line').entries()) {
      const end = line.textContent?.endsWith('\n') ? ['\n'] : [];
      line.replaceChildren(...(lines[i] ?? []).map((p) => (p.kind ? coloured(p.text, p.kind) : p.text)), ...end);
    }
    await new Promise((done) => setTimeout(done)); // the page answers in between
  }
}

function coloured(text: string, kind: string) {
  const span = document.createElement('span');
  span.className = kind;
  span.textContent = text;
  return span;
}
