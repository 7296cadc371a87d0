import * as React from 'react';

import { IOperation, IPageQuery } from '../tokens';
import { LogView } from './LogView';
import {
  argumentsText,
  askerText,
  detailsText,
  operationText
} from './operationText';
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
            {line.step !== null && (
              <span
                className="jp-rf-Log-step"
                title={trans.__('Its last commit at that moment')}
              >
                {trans.__('at step %1', line.step)}
              </span>
            )}
            {madeText(line) && (
              <>
                <span aria-hidden="true">→ </span>
                {madeText(line)}
              </>
            )}
            <span className="jp-rf-quiet jp-rf-Log-arguments">
              {detailsText(line, trans)}
            </span>
            <span className="jp-rf-quiet">{askerText(line.origin, trans)}</span>
          </span>
        </>
      )}
    />
  );
}

/** What came of an operation; empty where that is the run that it was on. */
function madeText({ result, run_id }: IOperation): string {
  return result === `run ${run_id}` ? '' : result;
}

/** Copied lines are for files and reports: exact, and the same in every language. */
function copyText(line: IOperation): string {
  const time = new Date(1000 * line.time).toISOString();
  const run = line.run_id === null ? '-' : `run ${line.run_id}`;
  const step = line.step === null ? '-' : `step ${line.step}`;
  const { operation, origin, result } = line;
  const asked = argumentsText(line.arguments);
  return [time, origin, operation, run, step, asked, result].join('\t');
}
