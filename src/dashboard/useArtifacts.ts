import { useCallback, useState } from 'react';

import { progressKey } from '../charts/metrics';
import { IArtifact, IRunService, IRunsModel } from '../tokens';
import { useRefresher } from './useRefresher';

/** Listing a folder costs the server more than reading its journal. */
const INTERVAL = 5000;

/**
 * The files of an experiment, newest first; null before the first answer.
 */
export function useArtifacts(
  service: IRunService,
  model: IRunsModel,
  experiment: string
): { artifacts: readonly IArtifact[] | null; problem: unknown } {
  const [state, setState] = useState({
    artifacts: null as readonly IArtifact[] | null,
    problem: null as unknown
  });
  const task = useCallback(async () => {
    try {
      const all = await service.artifacts(experiment);
      const artifacts = [...all].sort((a, b) => b.modified - a.modified);
      setState({ artifacts, problem: null });
    } catch (problem) {
      setState(last => ({ ...last, problem }));
    }
  }, [service, experiment]);
  useRefresher(task, progressKey(model.runs), true, INTERVAL);
  return state;
}
