import { checkIcon, LabIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

interface IMenuItemProps {
  /** Makes it one that is on or off. */
  isChecked?: boolean;
  icon?: LabIcon;

  /** Why it does nothing at present. */
  reason?: string | null;
  isDanger?: boolean;
  onClick: () => void;
  children: React.ReactNode;
}

/**
 * A line of a menu. `MenuButton` moves the focus from one to the next.
 */
export function MenuItem(props: IMenuItemProps): JSX.Element {
  const { isChecked, reason = null, isDanger, onClick, children } = props;
  const isToggle = isChecked !== undefined;
  const icon = isToggle ? (isChecked ? checkIcon : undefined) : props.icon;
  return (
    <button
      type="button"
      role={isToggle ? 'menuitemcheckbox' : 'menuitem'}
      aria-checked={isChecked}
      aria-disabled={reason !== null}
      title={reason ?? undefined}
      tabIndex={-1}
      className={`jp-rf-MenuItem${isDanger ? ' jp-mod-danger' : ''}`}
      onClick={reason === null ? onClick : undefined}
    >
      <span className="jp-rf-MenuItem-icon">
        {icon && <icon.react tag="span" display="inline-flex" />}
      </span>
      <span className="jp-rf-MenuItem-label">{children}</span>
    </button>
  );
}
