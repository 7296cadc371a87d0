/**
 * Give the focus to another part of a run table, as the one that has it is about to go.
 */
export function handOver(from: Element | null, selector: string): void {
  const table = from?.closest('.jp-rf-RunTable');
  table?.querySelector<HTMLElement>(selector)?.focus();
}
