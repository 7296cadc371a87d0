import { ISignal } from '@lumino/signaling';
import * as React from 'react';

/**
 * Render a component anew whenever a signal is emitted.
 *
 * @param signal - undefined while there is nothing that could change.
 */
export function useChanges<T>(signal: ISignal<T, void> | undefined): void {
  const [, render] = React.useReducer((count: number) => count + 1, 0);
  React.useEffect(() => {
    if (!signal) {
      return;
    }
    const slot = () => render();
    signal.connect(slot);
    // Something may have changed since the component was rendered first.
    render();
    return () => {
      signal.disconnect(slot);
    };
  }, [signal]);
}
