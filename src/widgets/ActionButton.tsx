import { LabIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

interface IActionButtonProps {
  icon: LabIcon;
  label: string;

  /** Why it does nothing at present; null where it does something. */
  reason: string | null;
  onClick: () => void;

  /** Whether it destroys something. */
  isDanger?: boolean;
}

/**
 * An icon that does something.
 *
 * Where it cannot, it is `aria-disabled`, not `disabled`: a button that a refresh disables while
 * it has the focus would lose it, and nobody could read why it is disabled by keyboard.
 */
export function ActionButton(props: IActionButtonProps): JSX.Element {
  const { icon, label, reason, onClick, isDanger } = props;
  return (
    <button
      type="button"
      className={`jp-rf-ActionButton${isDanger ? ' jp-mod-danger' : ''}`}
      aria-label={label}
      aria-disabled={reason !== null}
      title={reason ?? label}
      onClick={reason === null ? onClick : undefined}
    >
      <icon.react tag="span" display="inline-flex" />
    </button>
  );
}
