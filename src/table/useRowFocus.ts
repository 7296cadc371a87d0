import * as React from 'react';

/** Where the focus is: in which row, and on which of its buttons and boxes. */
interface IFocus {
  runId: number;
  control: number;
}

interface IRowFocus {
  /** Run id of the row with the focus; it must stay rendered. */
  readonly runId: number | null;
  handlers: Pick<
    React.HTMLAttributes<HTMLElement>,
    'onFocus' | 'onBlur' | 'onKeyDown'
  >;
}

/**
 * Keep the focus where it is in a table of runs that come and go: if its row goes, it moves to
 * the row in its place. The arrows up and down move it to the same button of the next row.
 *
 * @param shown - Run ids in the order of the table.
 */
export function useRowFocus(
  body: React.RefObject<HTMLElement>,
  shown: readonly number[]
): IRowFocus {
  const focus = React.useRef<IFocus | null>(null);
  const before = React.useRef(shown);

  React.useLayoutEffect(() => {
    const lost = focus.current;
    const position = lost ? before.current.indexOf(lost.runId) : -1;
    before.current = shown;
    if (lost && body.current && isNowhere(body.current)) {
      const instead = shown[Math.min(Math.max(0, position), shown.length - 1)];
      const runId = shown.includes(lost.runId) ? lost.runId : instead;
      focus.current = null;
      focusOn(body.current, runId, lost);
    }
  });

  return {
    runId: focus.current?.runId ?? null,
    handlers: {
      onFocus: event => {
        focus.current = locate(event.target);
      },
      onBlur: () => {
        focus.current = null;
      },
      onKeyDown: event => {
        const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
        const at = locate(event.target as Element);
        if (step && at && at.control >= 0 && body.current) {
          event.preventDefault();
          focusOn(body.current, shown[shown.indexOf(at.runId) + step], at);
        }
      }
    }
  };
}

/** Whether nothing has the focus, as its node has gone. */
function isNowhere(body: HTMLElement): boolean {
  const { activeElement, body: page } = body.ownerDocument;
  return activeElement === null || activeElement === page;
}

function locate(target: Element): IFocus | null {
  const row = target.closest('[data-run-id], [data-details-of]');
  if (!(row instanceof HTMLElement)) {
    return null;
  }
  const { runId, detailsOf } = row.dataset;
  // -1 within the details, which have no row of buttons.
  const control = runId ? controls(row).indexOf(target) : -1;
  return { runId: Number(runId ?? detailsOf), control };
}

function focusOn(
  body: HTMLElement,
  runId: number | undefined,
  { control }: IFocus
): void {
  const row = body.querySelector(`[data-run-id="${runId}"]`);
  const found = row ? controls(row) : [];
  const target = found[control] ?? found[found.length - 1];
  (target as HTMLElement | undefined)?.focus();
}

function controls(row: Element): Element[] {
  return Array.from(row.querySelectorAll('button, input'));
}
