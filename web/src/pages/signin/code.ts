/** The code in what somebody pasted: a whole link, what stands behind its #, or the code itself. */
export function codeOf(text: string): string {
  const trimmed = text.trim();
  const at = trimmed.lastIndexOf('#');
  return at >= 0 ? trimmed.slice(at + 1).trim() : trimmed;
}
