import * as React from 'react';

import { formatValue } from '../format';
import { IOperation, IPageQuery } from '../tokens';
import { LogView } from './LogView';
import { operationText } from './operationText';
import { IPanelProps } from './panel';
import { RunTag } from './RunTag';
import { formatMoment } from './times';

/**
 * The Control Ops Log: what was asked of runs, by whom, and what came of it.
 */
export function OperationLog(props: IPanelProps): JSX.Element {
  const { service, model, trans, experiment } = props;
  const load = React.useCallback(
    (query: IPageQuery) => service.operations(experiment, query),
    [service, experiment]
  );
  return (
    <LogView<IOperation>
      trans={trans}
      model={model}
      label={trans.__('Control Ops Log')}
      empty={trans.__('No run was steered yet')}
      load={load}
      textOf={copyText}
      renderLine={line => (
        <>
          <time className="jp-rf-Log-time">{formatMoment(line.time)}</time>
          <span className="jp-rf-Log-operation">
            {operationText(line.operation, trans)}
          </span>
          <RunTag runId={line.run_id} trans={trans} />
          <span className="jp-rf-Log-text">
            {line.result}
            <span className="jp-rf-quiet jp-rf-Log-arguments">
              {argumentsText(line)}
            </span>
            <span className="jp-rf-quiet">
              {line.origin === 'user'
                ? trans.__('by the user')
                : trans.__('by %1', line.origin)}
            </span>
          </span>
        </>
      )}
    />
  );
}

function argumentsText(line: IOperation): string {
  return Object.entries(line.arguments)
    .map(([name, value]) => `${name}=${formatValue(value)}`)
    .join(' ');
}

/** Copied lines are for files and reports: exact, and the same in every language. */
function copyText(line: IOperation): string {
  const time = new Date(1000 * line.time).toISOString();
  const run = line.run_id === null ? '-' : `run ${line.run_id}`;
  const { operation, origin, result } = line;
  return [time, origin, operation, run, argumentsText(line), result].join('\t');
}
