/** Gives the tabs of a page their buttons and its code a way to be copied. Done twice it changes nothing. */
export function enliven(root: HTMLElement) {
  for (const tabs of root.querySelectorAll<HTMLElement>('.doc-tabs')) tabbed(root, tabs);
  for (const code of root.querySelectorAll<HTMLElement>('.doc-code')) copied(code);
}

/** The texts of tabs that belong together, without those of tabs within them. */
const panelsOf = (tabs: HTMLElement) => [...tabs.querySelectorAll<HTMLElement>(':scope > .doc-tab')];
const titleOf = (panel: HTMLElement) => panel.querySelector<HTMLElement>(':scope > .doc-title');

function show(tabs: HTMLElement, chosen: number) {
  const buttons = tabs.querySelectorAll<HTMLElement>(':scope > [role=tablist] > button');
  for (const [i, panel] of panelsOf(tabs).entries()) {
    panel.hidden = i !== chosen;
    buttons[i]?.setAttribute('aria-selected', String(i === chosen));
    buttons[i]?.setAttribute('tabindex', i === chosen ? '0' : '-1');
  }
}

function tabbed(root: HTMLElement, tabs: HTMLElement) {
  if (tabs.querySelector(':scope > [role=tablist]')) return;
  const panels = panelsOf(tabs);
  const list = document.createElement('div');
  list.setAttribute('role', 'tablist');
  for (const [i, panel] of panels.entries()) {
    const title = titleOf(panel);
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = title?.textContent ?? '';
    button.setAttribute('role', 'tab');
    button.addEventListener('click', () => {
      // Who reads of one system reads of it everywhere on the page.
      for (const other of root.querySelectorAll<HTMLElement>('.doc-tabs')) {
        const same = panelsOf(other).findIndex((p) => titleOf(p)?.textContent === button.textContent);
        if (same >= 0) show(other, same);
      }
      show(tabs, i);
    });
    button.addEventListener('keydown', (e) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[e.key];
      if (!step) return;
      e.preventDefault();
      const next = list.children[(i + step + panels.length) % panels.length] as HTMLElement;
      next.click();
      next.focus();
    });
    panel.setAttribute('role', 'tabpanel');
    panel.setAttribute('aria-label', button.textContent);
    if (title) title.hidden = true;
    list.append(button);
  }
  tabs.prepend(list);
  show(tabs, 0);
}

function copied(code: HTMLElement) {
  if (code.querySelector(':scope > button')) return;
  const button = document.createElement('button');
  button.type = 'button';
  button.textContent = 'Copy';
  button.addEventListener('click', async () => {
    const text = code.querySelector('pre')?.textContent ?? '';
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = 'Copied';
    } catch {
      // Browsers give the clipboard only to secure pages; elsewhere the text is selected for the person to copy.
      const pre = code.querySelector('pre');
      if (pre) window.getSelection()?.selectAllChildren(pre);
      button.textContent = 'Selected';
    }
    setTimeout(() => {
      button.textContent = 'Copy';
    }, 1_500);
  });
  code.append(button);
  const pre = code.querySelector('pre');
  if (pre) pre.tabIndex = 0; // what doesn't fit scrolls by keyboard too
}
