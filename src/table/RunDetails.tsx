import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { explainError } from '../explain';
import { IRun, IRunService } from '../tokens';
import { RunConfig } from './RunConfig';
import { RunLog } from './RunLog';
import { RunTiming } from './RunTiming';
import { useFetched } from './useFetched';

interface IRunDetailsProps {
  run: IRun;
  experiment: string;
  service: IRunService;
  trans: TranslationBundle;
}

/**
 * Everything that is known of a run, fetched when its row is opened.
 */
export const RunDetails = React.memo(function RunDetails(
  props: IRunDetailsProps
): JSX.Element {
  const { run, experiment, service, trans } = props;
  const key = `${experiment}/${run.run_id}/${run.status}`;
  const { value: detail, error } = useFetched(
    () => service.run(experiment, run.run_id),
    key
  );
  return (
    <section
      className="jp-rf-RunDetails"
      aria-label={trans.__('Details of run %1', run.run_id)}
    >
      {error !== null && (
        <p className="jp-rf-RunDetails-problem">{explainError(error, trans)}</p>
      )}
      {run.error !== null && (
        <div className="jp-rf-RunDetails-wide">
          <h4>{trans.__('Error')}</h4>
          <pre
            className="jp-rf-Traceback"
            role="region"
            aria-label={trans.__('Traceback of run %1', run.run_id)}
            tabIndex={0}
          >
            {detail?.traceback ?? run.error}
          </pre>
        </div>
      )}
      {detail && (
        <RunConfig
          detail={detail}
          run={run}
          experiment={experiment}
          service={service}
          trans={trans}
        />
      )}
      <RunTiming
        run={run}
        detail={detail}
        experiment={experiment}
        service={service}
        trans={trans}
      />
      <RunLog
        run={run}
        experiment={experiment}
        service={service}
        trans={trans}
      />
    </section>
  );
});
