let count = 0;

/** Draws the diagrams of a page. The library comes only with the first page that has any. */
export async function diagrams(root: HTMLElement, dark: boolean, ended: () => boolean) {
  const { default: mermaid } = await import('mermaid');
  mermaid.initialize({ startOnLoad: false, securityLevel: 'strict', theme: dark ? 'dark' : 'default' });
  for (const source of root.querySelectorAll<HTMLElement>('.doc-mermaid')) {
    if (ended()) return;
    const old = source.nextElementSibling;
    if (old?.matches('[data-drawn]')) old.remove();
    const drawn = document.createElement('div');
    drawn.dataset.drawn = '';
    try {
      const { svg } = await mermaid.render(`diagram-${++count}`, source.textContent ?? '');
      if (ended()) return;
      drawn.innerHTML = svg; // mermaid has cleaned it
      drawn.firstElementChild?.setAttribute('role', 'img');
      drawn.firstElementChild?.setAttribute('aria-label', 'Diagram');
      source.hidden = true;
    } catch (e) {
      document.getElementById(`ddiagram-${count}`)?.remove();
      drawn.dataset.wrong = '';
      drawn.textContent = `The diagram can't be drawn: ${String((e as Error).message).slice(0, 500)}`;
      source.hidden = false;
    }
    source.after(drawn);
  }
}
