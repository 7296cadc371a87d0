import { waitFor } from '@testing-library/dom';

/** What a dialog showed before it was closed. */
export interface IShownDialog {
  text: string;
  buttons: string[];

  /** The button that had the focus. */
  focused: string;
}

/**
 * Wait for a dialog and press the button of that label.
 *
 * @param before - What to do in the dialog first.
 */
export async function press(
  label: string,
  before: (dialog: HTMLElement) => void | Promise<void> = () => undefined
): Promise<IShownDialog> {
  const dialog = await waitFor(() => {
    const found = document.querySelector<HTMLElement>('.jp-Dialog');
    expect(found).not.toBeNull();
    expect(found?.querySelector('button, .jp-Dialog-button')).not.toBeNull();
    expect(found?.contains(document.activeElement)).toBe(true);
    return found as HTMLElement;
  });
  await before(dialog);
  const buttons = [
    ...dialog.querySelectorAll<HTMLElement>('.jp-Dialog-footer button')
  ];
  const shown = {
    text: dialog.textContent ?? '',
    buttons: buttons.map(({ textContent }) => textContent ?? ''),
    focused: document.activeElement?.textContent ?? ''
  };
  const button = buttons.find(({ textContent }) => textContent === label);
  if (!button) {
    throw new Error(`The dialog has no button "${label}".`);
  }
  button.click();
  return shown;
}
