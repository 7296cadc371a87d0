import { TranslationBundle } from '@jupyterlab/translation';
import { refreshIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { explainError } from '../explain';
import { IRun, IRunService } from '../tokens';
import { ActionButton } from '../widgets/ActionButton';
import { useFetched } from './useFetched';

interface IRunLogProps {
  run: IRun;
  experiment: string;
  service: IRunService;
  trans: TranslationBundle;
}

/** How much of the log's end is shown, in bytes. */
const TAIL = 8192;

/**
 * The end of what a run printed, read anew after each epoch and on demand.
 */
export function RunLog(props: IRunLogProps): JSX.Element {
  const { run, experiment, service, trans } = props;
  const [asked, ask] = React.useReducer((count: number) => count + 1, 0);
  const { value: log, error } = useFetched(
    () => service.log(experiment, run.run_id, -TAIL),
    [run.run_id, run.status, run.completed_epochs, asked].join('/')
  );
  return (
    <div className="jp-rf-RunDetails-wide">
      <h4>
        {trans.__('Log')}
        <ActionButton
          icon={refreshIcon}
          label={trans.__('Read the log of run %1 again', run.run_id)}
          reason={null}
          onClick={ask}
        />
      </h4>
      {error !== null && <p>{explainError(error, trans)}</p>}
      {log?.text ? (
        <pre
          className="jp-rf-RunLog"
          role="region"
          aria-label={trans.__('Log of run %1', run.run_id)}
          tabIndex={0}
        >
          {log.offset > 0 && '…\n'}
          {log.text}
        </pre>
      ) : (
        <p className="jp-rf-RunDetails-quiet">
          {log ? trans.__('Nothing printed yet.') : trans.__('Reading…')}
        </p>
      )}
    </div>
  );
}
