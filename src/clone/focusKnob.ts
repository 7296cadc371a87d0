/**
 * Go to a knob's field, ready to type over what is in it.
 */
export function focusKnob(root: HTMLElement | null, fieldId: string): void {
  for (const row of root?.querySelectorAll<HTMLElement>('[data-rf-knob]') ??
    []) {
    if (row.dataset.rfKnob === fieldId) {
      const control = row.querySelector<HTMLElement>('input, select, textarea');
      control?.focus();
      if (control instanceof HTMLInputElement) {
        control.select();
      }
    }
  }
}
