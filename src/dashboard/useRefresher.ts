import { useEffect, useRef } from 'react';

import { Refresher } from './refresher';

/**
 * Have a task run now, and again when `version` changes: at most every `interval` milliseconds, never
 * twice at once, and only while `active`.
 *
 * @param task - Has to take its own errors; a new one replaces the old one at once.
 * @param version - Changes when there is something new to fetch.
 */
export function useRefresher(
  task: () => Promise<void>,
  version: unknown,
  active: boolean,
  interval = 1500
): void {
  const refresher = useRef<Refresher | null>(null);
  useEffect(() => {
    const created = new Refresher(task, interval);
    refresher.current = created;
    return () => created.dispose();
  }, [task, interval]);
  useEffect(() => {
    if (refresher.current) {
      refresher.current.active = active;
    }
  }, [active, task, interval]);
  useEffect(() => {
    refresher.current?.poke();
  }, [version]);
}
