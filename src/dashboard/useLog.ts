import { RefObject, useCallback, useMemo, useState } from 'react';

import { progressKey } from '../charts/metrics';
import { IPage, IPageQuery, IRunsModel } from '../tokens';
import { ILogLine, LogPages } from './logPages';
import { useRefresher } from './useRefresher';
import { useVisible } from './useVisible';

interface ILogState<T> {
  /** Oldest first. */
  lines: readonly T[];
  moreBefore: boolean;

  /** Whether there was an answer. */
  isReady: boolean;

  /** Why the newest lines could not be read. */
  problem: unknown;
  loadOlder(): Promise<void>;
}

/**
 * The lines of a log, the newest ones fetched when runs have moved.
 */
export function useLog<T extends ILogLine>(
  load: (query: IPageQuery) => Promise<IPage<T>>,
  model: IRunsModel,
  box: RefObject<HTMLElement>
): ILogState<T> {
  const pages = useMemo(() => new LogPages(load), [load]);
  const [state, setState] = useState({
    lines: [] as readonly T[],
    moreBefore: false,
    isReady: false,
    problem: null as unknown
  });
  const read = useCallback(
    async (task: () => Promise<void>) => {
      let problem: unknown = null;
      try {
        await task();
      } catch (error) {
        problem = error;
      }
      const { lines, moreBefore } = pages;
      setState(last => ({
        lines,
        moreBefore,
        isReady: last.isReady || problem === null,
        problem
      }));
    },
    [pages]
  );
  const newer = useCallback(() => read(() => pages.loadNewer()), [read, pages]);
  const statuses = model.runs.map(run => `${run.status}${run.wanted}`).join();
  const version = `${statuses} ${progressKey(model.runs)}`;
  useRefresher(newer, version, useVisible(box));
  return { ...state, loadOlder: () => read(() => pages.loadOlder()) };
}
