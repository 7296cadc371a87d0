import { useCallback, useMemo, useState } from 'react';

import { IMetric, IRunService, IRunsModel } from '../tokens';
import { useRefresher } from './useRefresher';

/**
 * The metrics that an experiment has points of; null before the first answer.
 */
export function useMetrics(
  service: IRunService,
  model: IRunsModel,
  experiment: string
): readonly IMetric[] | null {
  const [metrics, setMetrics] = useState<readonly IMetric[] | null>(null);
  const task = useCallback(async () => {
    try {
      setMetrics(await service.metrics(experiment));
    } catch {
      // The service's own state says that the server is away; what is known stays.
      setMetrics(last => last ?? null);
    }
  }, [service, experiment]);
  const hasSteps = model.runs.some(run => run.step > 0);
  const isBeginning = model.runs.some(
    run => run.status === 'running' && run.step === 0
  );
  // A metric of epochs has to come with some epoch; one of minibatches with the first of them, or at
  // any time in a trial of a model template, which has no steps before its end.
  const version = useMemo(
    () => ({}),
    [
      hasSteps,
      service.connection,
      model.metricNames.join(),
      isBeginning && model.runs
    ]
  );
  useRefresher(task, version, true);
  return metrics;
}
