/** Who holds the lock of a state, by what the engine wrote down: "alice@laptop, to apply". */
export function holderOf(lock: string): { who: string; since?: string; reason?: string; byHand?: boolean } {
  try {
    const info = JSON.parse(lock) as { Who?: unknown; Operation?: unknown; Created?: unknown; Info?: unknown };
    const operation = String(info.Operation ?? '')
      .replace(/^OperationType/, '')
      .toLowerCase();
    const who = [
      info.Who ? String(info.Who) : 'an engine',
      operation && (operation === 'by hand' ? operation : `for ${operation}`),
    ]
      .filter(Boolean)
      .join(', ');
    return {
      who,
      byHand: operation === 'by hand',
      since: typeof info.Created === 'string' ? info.Created : undefined,
      reason: typeof info.Info === 'string' && info.Info ? info.Info : undefined,
    };
  } catch {
    return { who: lock };
  }
}
