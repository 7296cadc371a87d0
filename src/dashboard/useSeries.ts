import { useCallback, useEffect, useRef, useState } from 'react';

import {
  IMetric,
  IRunService,
  IRunsModel,
  ISeriesAnswer,
  SeriesX
} from '../tokens';
import { useRefresher } from './useRefresher';

/** What there is of some metrics' points. */
interface ISeriesState {
  /** One a metric; null before the first answers. */
  answers: readonly ISeriesAnswer[] | null;

  /** Why they could not be renewed. */
  problem: unknown;
}

const NOTHING: ISeriesState = { answers: null, problem: null };

/** What a chart is drawn from. */
interface IAsked {
  metrics: readonly IMetric[];
  x: SeriesX;

  /** The metric whose values stand in the place of `x`. */
  by: string | null;
}

/**
 * The points of metrics, fetched again when runs have moved.
 *
 * @param active - Whether anybody looks.
 */
export function useSeries(
  service: IRunService,
  model: IRunsModel,
  asked: IAsked,
  maxPoints: number,
  active: boolean
): ISeriesState {
  const { experiment } = model;
  const key = JSON.stringify([experiment, asked]);
  const [state, setState] = useState({ ...NOTHING, key });
  // Answers of another chart, on another axis, must not be drawn on this one.
  useEffect(() => {
    setState(last => (last.key === key ? last : { ...NOTHING, key }));
  }, [key]);
  const current = useRef<() => Promise<void>>();
  const task: () => Promise<void> = useCallback(async () => {
    if (experiment === null) {
      return;
    }
    const { metrics, x, by } = asked;
    const rest = { x, ...(by !== null && { by }), max_points: maxPoints };
    try {
      const answers = await Promise.all(
        metrics.map(({ name, per }) =>
          service.series(experiment, { metric: name, per, ...rest })
        )
      );
      if (current.current === task) {
        setState({ key, answers, problem: null });
      }
    } catch (problem) {
      setState(last => ({ ...last, problem }));
    }
  }, [service, key, maxPoints]);
  // What comes late, for a question that is no longer asked, is dropped.
  current.current = task;
  // A trial of a model template moves without a step of its own: what is told of it anew has moved.
  useRefresher(task, model.runs, active);
  return state.key === key ? state : NOTHING;
}
