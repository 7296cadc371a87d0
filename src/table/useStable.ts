import * as React from 'react';

/**
 * The same array as last time while it has the same members.
 */
export function useStable<T extends readonly (string | number)[]>(
  list: T | undefined
): T | undefined {
  const last = React.useRef(list);
  if (!isSame(last.current, list)) {
    last.current = list;
  }
  return last.current;
}

function isSame(
  a: readonly unknown[] | undefined,
  b: readonly unknown[] | undefined
): boolean {
  if (!a || !b) {
    return a === b;
  }
  return a.length === b.length && a.every((value, index) => value === b[index]);
}
