import * as React from 'react';

export interface ISelection {
  /** Selected runs among those that are shown, in their order. */
  runIds: readonly number[];
  has: (runId: number) => boolean;
  toggle: (runId: number, isRange: boolean) => void;

  /** Select all that are shown, or none. */
  setAll: (isSelected: boolean) => void;
}

/**
 * Which runs are selected. Runs that a filter hides do not count: nothing is done to what
 * the user does not see.
 *
 * @param shown - Run ids in the order of the table; the same array while they stay the same.
 */
export function useSelection(shown: readonly number[]): ISelection {
  const [selected, setSelected] = React.useState<ReadonlySet<number>>(
    () => new Set()
  );
  const last = React.useRef<number | null>(null);
  const order = React.useRef(shown);
  order.current = shown;

  const toggle = React.useCallback((runId: number, isRange: boolean) => {
    const from = order.current.indexOf(last.current ?? runId);
    const to = order.current.indexOf(runId);
    const touched =
      isRange && from >= 0
        ? order.current.slice(Math.min(from, to), Math.max(from, to) + 1)
        : [runId];
    last.current = runId;
    setSelected(old => {
      const isOn = !old.has(runId);
      const next = new Set(old);
      touched.forEach(id => (isOn ? next.add(id) : next.delete(id)));
      return next;
    });
  }, []);

  const setAll = React.useCallback((isSelected: boolean) => {
    setSelected(new Set(isSelected ? order.current : []));
  }, []);

  const runIds = React.useMemo(
    () => shown.filter(id => selected.has(id)),
    [shown, selected]
  );
  return { runIds, has: id => selected.has(id), toggle, setAll };
}
