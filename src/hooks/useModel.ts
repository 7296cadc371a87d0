import { useEffect, useReducer, useState } from 'react';

import { IRunService, IRunsModel } from '../tokens';

/**
 * The live runs of an experiment; null for the moment before there is a handle.
 */
export function useModel(
  service: IRunService,
  experiment: string | null
): IRunsModel | null {
  const [model, setModel] = useState<IRunsModel | null>(null);
  useEffect(() => {
    const watched = service.watch(experiment);
    setModel(watched);
    return () => {
      setModel(null);
      watched.dispose();
    };
  }, [service, experiment]);
  return useChanges(model);
}

/** Anything that says when it changed. */
interface IChanging {
  changed: {
    connect(slot: () => void): boolean;
    disconnect(slot: () => void): boolean;
  };
}

/**
 * Render again whenever the object changed.
 */
export function useChanges<T extends IChanging | null>(object: T): T {
  const [, render] = useReducer((count: number) => count + 1, 0);
  useEffect(() => {
    if (object === null) {
      return;
    }
    object.changed.connect(render);
    return () => {
      object.changed.disconnect(render);
    };
  }, [object]);
  return object;
}
