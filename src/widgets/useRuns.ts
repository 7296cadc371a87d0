import * as React from 'react';

import { IRunService, IRunsModel } from '../tokens';

/**
 * The runs of an experiment, for as long as the component is there.
 *
 * @param experiment - Its name; null follows the newest.
 * @returns null when first rendered.
 */
export function useRuns(
  service: IRunService,
  experiment: string | null
): IRunsModel | null {
  const [model, setModel] = React.useState<IRunsModel | null>(null);
  React.useEffect(() => {
    const watched = service.watch(experiment);
    setModel(watched);
    return () => {
      watched.dispose();
    };
  }, [service, experiment]);
  return model;
}
