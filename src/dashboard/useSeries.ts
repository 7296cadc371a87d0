import { useCallback, useEffect, useRef, useState } from 'react';

import { progressKey } from '../charts/metrics';
import { IMetric, IRunService, IRunsModel, ISeriesAnswer } from '../tokens';
import { useRefresher } from './useRefresher';

/** What there is of a metric's points. */
interface ISeriesState {
  /** null before the first answer. */
  answer: ISeriesAnswer | null;

  /** Why the answer could not be renewed. */
  problem: unknown;
}

const NOTHING: ISeriesState = { answer: null, problem: null };

/**
 * The points of a metric, fetched again when runs have moved.
 *
 * @param active - Whether anybody looks.
 */
export function useSeries(
  service: IRunService,
  model: IRunsModel,
  metric: IMetric,
  x: 'step' | 'time',
  maxPoints: number,
  active: boolean
): ISeriesState {
  const [state, setState] = useState<ISeriesState>(NOTHING);
  const { experiment } = model;
  const { name, per } = metric;
  // An answer on another axis must not be drawn on this one.
  useEffect(() => setState(NOTHING), [experiment, name, per, x]);
  const current = useRef<() => Promise<void>>();
  const task: () => Promise<void> = useCallback(async () => {
    if (experiment === null) {
      return;
    }
    try {
      const query = { metric: name, per, x, max_points: maxPoints };
      const answer = await service.series(experiment, query);
      if (current.current === task) {
        setState({ answer, problem: null });
      }
    } catch (problem) {
      setState(last => ({ ...last, problem }));
    }
  }, [service, experiment, name, per, x, maxPoints]);
  // What comes late, for a question that is no longer asked, is dropped.
  current.current = task;
  useRefresher(task, progressKey(model.runs), active);
  const isFitting = state.answer === null || state.answer.x === x;
  return isFitting ? state : NOTHING;
}
