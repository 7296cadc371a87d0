import * as React from 'react';

interface IFetched<T> {
  /** The last answer; null until there is one. */
  value: T | null;

  /** Why the last question failed; null if it did not. */
  error: unknown;
}

/**
 * Ask for something, anew whenever `key` changes. The last answer stays until there is a new one.
 */
export function useFetched<T>(
  fetch: () => Promise<T>,
  key: string
): IFetched<T> {
  const [state, setState] = React.useState<IFetched<T>>({
    value: null,
    error: null
  });
  const latest = React.useRef(fetch);
  latest.current = fetch;
  React.useEffect(() => {
    let isCurrent = true;
    const settle = (next: (old: IFetched<T>) => IFetched<T>) => {
      if (isCurrent) {
        setState(next);
      }
    };
    latest.current().then(
      value => settle(() => ({ value, error: null })),
      (error: unknown) => settle(({ value }) => ({ value, error }))
    );
    return () => {
      isCurrent = false;
    };
  }, [key]);
  return state;
}
