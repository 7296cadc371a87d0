import { caretDownIcon, LabIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { Menu } from './Menu';

interface IMenuButtonProps {
  /** Name of the button and of its menu. */
  label: string;
  icon?: LabIcon;

  /** Shown beside the icon; an icon alone if left out. */
  text?: string;
  className: string;

  /** The lines, which may close the menu. */
  children: (close: () => void) => React.ReactNode;
}

/**
 * A button that opens a menu, and gets the focus back when it closes.
 */
export function MenuButton(props: IMenuButtonProps): JSX.Element {
  const { label, icon: Icon, text, className, children } = props;
  const button = React.useRef<HTMLButtonElement>(null);
  const [isOpen, setOpen] = React.useState(false);
  const close = (keepFocus = false) => {
    setOpen(false);
    if (!keepFocus) {
      button.current?.focus();
    }
  };
  const onKeyDown = (event: React.KeyboardEvent) => {
    if (event.key === 'ArrowDown' && !isOpen) {
      event.preventDefault();
      event.stopPropagation();
      setOpen(true);
    }
  };
  return (
    <>
      <button
        ref={button}
        type="button"
        className={className}
        aria-label={label}
        aria-haspopup="menu"
        aria-expanded={isOpen}
        title={label}
        onClick={() => setOpen(!isOpen)}
        onKeyDown={onKeyDown}
      >
        {Icon && <Icon.react tag="span" display="inline-flex" />}
        {text !== undefined && (
          <>
            <span>{text}</span>
            <caretDownIcon.react tag="span" display="inline-flex" />
          </>
        )}
      </button>
      {isOpen && button.current && (
        <Menu label={label} opener={button.current} onClose={close}>
          {children(close)}
        </Menu>
      )}
    </>
  );
}
