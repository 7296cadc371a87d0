import * as React from 'react';
import { createPortal } from 'react-dom';

interface IMenuProps {
  label: string;

  /** Where it opens. */
  opener: HTMLElement;

  /** @param keepFocus - Whether the focus has gone elsewhere on purpose. */
  onClose: (keepFocus?: boolean) => void;
  children: React.ReactNode;
}

/**
 * An open menu. It hangs in the body: panels of JupyterLab would cut it off.
 */
export function Menu(props: IMenuProps): JSX.Element {
  const { label, opener, onClose, children } = props;
  const menu = React.useRef<HTMLDivElement>(null);
  React.useLayoutEffect(() => {
    if (menu.current) {
      position(menu.current, opener);
      items(menu.current)[0]?.focus();
    }
  }, [opener]);
  useOutside(menu, opener, onClose);
  const onKeyDown = (event: React.KeyboardEvent) => {
    // In React's eyes the menu is still inside of the table, which knows arrows too.
    event.stopPropagation();
    if (event.key === 'Escape' || event.key === 'Tab') {
      event.preventDefault();
      onClose();
    } else if (menu.current && step(menu.current, event.key)) {
      event.preventDefault();
    }
  };
  return createPortal(
    <div
      ref={menu}
      className="jp-rf-Menu"
      role="menu"
      aria-label={label}
      onKeyDown={onKeyDown}
    >
      {children}
    </div>,
    opener.ownerDocument.body
  );
}

function items(menu: HTMLElement): HTMLElement[] {
  return Array.from(menu.querySelectorAll('[role^="menuitem"]'));
}

/**
 * Move the focus as a key says, if it says so.
 */
function step(menu: HTMLElement, key: string): boolean {
  const all = items(menu);
  const at = all.indexOf(menu.ownerDocument.activeElement as HTMLElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[key];
  if (to === undefined) {
    return false;
  }
  all[(to + all.length) % all.length]?.focus();
  return true;
}

/**
 * Below the opener or, without room, above; within the window in any case.
 */
function position(menu: HTMLElement, opener: HTMLElement): void {
  const { left, top, bottom } = opener.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = menu;
  const { innerWidth, innerHeight } = window;
  const above = bottom + height > innerHeight && top > innerHeight - bottom;
  const x = Math.max(4, Math.min(left, innerWidth - width - 4));
  menu.style.left = `${x}px`;
  if (above) {
    menu.style.bottom = `${innerHeight - top}px`;
    menu.style.maxHeight = `${top - 8}px`;
  } else {
    menu.style.top = `${bottom}px`;
    menu.style.maxHeight = `${innerHeight - bottom - 8}px`;
  }
}

/**
 * Close the menu when the user turns to something else.
 */
function useOutside(
  menu: React.RefObject<HTMLElement>,
  opener: HTMLElement,
  onClose: (keepFocus?: boolean) => void
): void {
  const close = React.useRef(onClose);
  close.current = onClose;
  React.useEffect(() => {
    const onPress = (event: Event) => {
      const target = event.target as Node;
      if (!menu.current?.contains(target) && !opener.contains(target)) {
        close.current(true);
      }
    };
    const onResize = () => close.current();
    document.addEventListener('pointerdown', onPress, true);
    window.addEventListener('resize', onResize);
    return () => {
      document.removeEventListener('pointerdown', onPress, true);
      window.removeEventListener('resize', onResize);
    };
  }, [menu, opener]);
}
