import { useCallback, useState } from 'react';

import { IDefinedPlot, IRunService, IRunsModel } from '../tokens';
import { useRefresher } from './useRefresher';

/** Reading a file of each trial costs the server more than reading its journal. */
const INTERVAL = 5000;

/**
 * The plots that trials of model templates have defined; none before the first answer.
 */
export function usePlots(
  service: IRunService,
  model: IRunsModel,
  experiment: string
): readonly IDefinedPlot[] {
  const [found, setFound] = useState({
    experiment,
    plots: [] as readonly IDefinedPlot[]
  });
  const task = useCallback(async () => {
    try {
      setFound({ experiment, plots: await service.plots(experiment) });
    } catch {
      // The service's own state says that the server is away; what is known stays.
    }
  }, [service, experiment]);
  // All of a trial is one step.
  const hasTrials = model.runs.some(run => run.total_steps === 1);
  useRefresher(task, model.runs, hasTrials, INTERVAL);
  return hasTrials && found.experiment === experiment ? found.plots : [];
}
