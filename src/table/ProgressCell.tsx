import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { formatDuration, formatPercent } from '../format';
import { isActive, shownStatus } from '../runs';
import { EngineState, IRun } from '../tokens';
import { ProgressBar } from './ProgressBar';

interface IProgressCellProps {
  run: IRun;
  engine: EngineState;
  trans: TranslationBundle;

  /** Stands above the bar where there is no room beside it. */
  children?: React.ReactNode;
}

/**
 * How far a run is: bars, percent, epoch and the time that is left.
 */
export function ProgressCell(props: IProgressCellProps): JSX.Element {
  const { run, engine, trans, children } = props;
  const epochs = epochsText(run);
  const epoch = trans.__('epoch %1', epochs);
  const left = leftText(run, engine, trans);
  const percent = formatPercent(run.progress);
  const words = left ? trans.__('%1, %2', epoch, left) : epoch;
  return (
    <div
      className="jp-rf-ProgressCell"
      data-status={shownStatus(run, engine)}
      title={words}
    >
      {children}
      <ProgressBar
        value={run.progress}
        epoch={isActive(run) ? run.epoch_progress : null}
        label={trans.__('Progress of run %1', run.run_id)}
        text={trans.__('%1, %2', percent, words)}
      />
      <span className="jp-rf-ProgressCell-percent">{percent}</span>
      <span className="jp-rf-ProgressCell-epoch" title={epoch}>
        {epochs}
      </span>
      <span className="jp-rf-ProgressCell-left">{left}</span>
    </div>
  );
}

/**
 * The epoch that a run is in; once it is not active, those that it completed.
 */
function epochsText(run: IRun): string {
  const begun = run.step > 0 && isActive(run) ? 1 : 0;
  const epoch = Math.min(run.epochs, run.completed_epochs + begun);
  return `${epoch}/${run.epochs}`;
}

function leftText(
  run: IRun,
  engine: EngineState,
  trans: TranslationBundle
): string {
  const goesOn = ['running', 'queued'].includes(shownStatus(run, engine));
  const time = goesOn ? formatDuration(run.seconds_left) : '';
  return time && trans.__('%1 left', time);
}
