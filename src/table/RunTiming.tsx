import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { formatDuration } from '../format';
import { endingText } from '../runs';
import { IRun, IRunDetail, IRunService } from '../tokens';
import { originText } from './origin';

interface IRunTimingProps {
  run: IRun;

  /** null until it has come. */
  detail: IRunDetail | null;
  experiment: string;
  service: IRunService;
  trans: TranslationBundle;
}

/**
 * When and where a run trained.
 */
export function RunTiming(props: IRunTimingProps): JSX.Element {
  const { run, detail, trans } = props;
  const mlflow = mlflowUrl(props);
  return (
    <div>
      <h4>{trans.__('Training')}</h4>
      <dl className="jp-rf-Facts">
        {facts(run, detail, trans).map(([name, value]) => (
          <React.Fragment key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </React.Fragment>
        ))}
      </dl>
      {mlflow !== null && (
        <a href={mlflow} target="_blank" rel="noreferrer">
          {trans.__('Open in MLflow')}
        </a>
      )}
    </div>
  );
}

function facts(
  run: IRun,
  detail: IRunDetail | null,
  trans: TranslationBundle
): [string, string][] {
  const all: [string, string][] = [
    [trans.__('Made'), formatTime(run.created)],
    [trans.__('Started'), formatTime(run.started)],
    [trans.__('Ended'), endText(run, trans)],
    [trans.__('Time on a slot'), formatDuration(run.seconds)],
    [trans.__('Minibatches'), trans.__('%1 of %2', run.step, run.total_steps)],
    [trans.__('Device'), run.device ?? ''],
    [trans.__('Trained'), detail?.fusion ?? ''],
    [trans.__('Seed'), detail ? `${detail.seed}` : ''],
    [
      trans.__('Origin'),
      run.parent === null ? '' : originText(detail ?? run, trans)
    ],
    [trans.__('Clones'), detail?.clones.join(', ') ?? '']
  ];
  return all.filter(([, value]) => value);
}

function endText(run: IRun, trans: TranslationBundle): string {
  const time = formatTime(run.ended);
  return time && run.ended_by
    ? trans.__('%1 (%2)', time, endingText(run.ended_by, trans))
    : time;
}

function formatTime(seconds: number | null): string {
  return seconds === null ? '' : new Date(1000 * seconds).toLocaleString();
}

function mlflowUrl(props: IRunTimingProps): string | null {
  const { detail, experiment, service } = props;
  const found = service.experiments.find(({ name }) => name === experiment);
  return found && detail?.mlflow_run_id
    ? service.mlflowUrl(found, detail.mlflow_run_id)
    : null;
}
