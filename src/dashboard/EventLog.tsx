import * as React from 'react';

import { IEvent, IPageQuery } from '../tokens';
import { LevelLabel } from './LevelLabel';
import { LogView } from './LogView';
import { IPanelProps } from './panel';
import { RunTag } from './RunTag';
import { formatMoment } from './times';

/**
 * The Experiment Log: what happened.
 */
export function EventLog(props: IPanelProps): JSX.Element {
  const { service, model, trans, experiment } = props;
  const load = React.useCallback(
    (query: IPageQuery) => service.events(experiment, query),
    [service, experiment]
  );
  return (
    <LogView<IEvent>
      trans={trans}
      model={model}
      label={trans.__('Experiment Log')}
      empty={trans.__('Nothing has happened yet')}
      load={load}
      textOf={eventText}
      renderLine={event => (
        <>
          <time className="jp-rf-Log-time">{formatMoment(event.time)}</time>
          <LevelLabel level={event.level} trans={trans} />
          <RunTag runId={event.run_id} trans={trans} />
          <span className="jp-rf-Log-text">{event.message}</span>
        </>
      )}
    />
  );
}

/** Copied lines are for files and reports: exact, and the same in every language. */
function eventText(event: IEvent): string {
  const time = new Date(1000 * event.time).toISOString();
  const run = event.run_id === null ? '-' : `run ${event.run_id}`;
  return [time, event.level, run, event.message].join('\t');
}
