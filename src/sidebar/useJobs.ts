import * as React from 'react';

import { IJob, IRunService } from '../tokens';

/** Milliseconds between two looks while the engine works, and while it waits for work. */
const INTERVALS = { running: 2000, idle: 10000 };

/**
 * Tests and predictions of an experiment, newest first. They are looked at again while there is an engine.
 */
export function useJobs(
  service: IRunService,
  experiment: string | null
): readonly IJob[] {
  const [known, setKnown] = React.useState<{
    experiment: string | null;
    jobs: readonly IJob[];
  }>({ experiment: null, jobs: [] });
  const { engine, connection } = service;
  React.useEffect(() => {
    let isOver = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = async () => {
      if (experiment !== null && connection === 'online' && !document.hidden) {
        try {
          const jobs = await service.jobs(experiment);
          if (!isOver) {
            setKnown({ experiment, jobs });
          }
        } catch {
          // What is known stays; the line above tells of a server that is away.
        }
      }
      if (!isOver && engine !== 'not running') {
        timer = setTimeout(() => void look(), INTERVALS[engine]);
      }
    };
    void look();
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [service, experiment, engine, connection]);
  return known.experiment === experiment ? known.jobs : [];
}
