import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { formatPercent, formatValue } from '../format';
import { IJob, IRunService } from '../tokens';
import { useJobs } from './useJobs';

interface IJobsProps {
  service: IRunService;
  experiment: string | null;
  trans: TranslationBundle;
}

/**
 * Tests and predictions of an experiment; nothing where there are none.
 */
export function Jobs(props: IJobsProps): JSX.Element | null {
  const { service, experiment, trans } = props;
  const jobs = useJobs(service, experiment);
  if (!jobs.length) {
    return null;
  }
  return (
    <details className="jp-rf-Jobs" open>
      <summary>
        {trans.__('Tests and predictions (%1)', `${jobs.length}`)}
      </summary>
      <ul>
        {jobs.map(job => (
          <li key={job.job_id}>
            <span>{titleOf(job, trans)}</span>
            <span
              className={`jp-rf-Jobs-status jp-mod-${job.status}`}
              title={job.error ?? undefined}
            >
              {statusOf(job, trans)}
            </span>
            {resultOf(job) && (
              <span className="jp-rf-Jobs-result">{resultOf(job)}</span>
            )}
          </li>
        ))}
      </ul>
    </details>
  );
}

function titleOf(job: IJob, trans: TranslationBundle): string {
  const number = `${job.job_id}`;
  const weights = weightsOf(job, trans);
  return job.kind === 'test'
    ? trans.__('Test %1 of %2', number, weights)
    : trans.__('Prediction %1 of %2', number, weights);
}

function weightsOf(job: IJob, trans: TranslationBundle): string {
  if (job.run_id === null) {
    return job.model_tag ?? '';
  }
  return job.epoch === null
    ? trans.__('run %1', `${job.run_id}`)
    : trans.__('run %1, epoch %2', `${job.run_id}`, `${job.epoch}`);
}

function statusOf(job: IJob, trans: TranslationBundle): string {
  switch (job.status) {
    case 'queued':
      return trans.__('queued');
    case 'running':
      return trans.__('running, %1', formatPercent(job.progress));
    case 'completed':
      return trans.__('completed');
    case 'failed':
      return trans.__('failed');
    case 'cancelled':
      return trans.__('cancelled');
  }
}

/** Metrics of a test, the file of a prediction, or why there is neither. */
function resultOf(job: IJob): string {
  if (job.status === 'failed') {
    return job.error ?? '';
  }
  if (job.status !== 'completed') {
    return '';
  }
  return job.metrics === null
    ? (job.target ?? '')
    : Object.entries(job.metrics)
        .map(([name, value]) => `${metricName(name)} ${formatValue(value)}`)
        .join(', ');
}

function metricName(name: string): string {
  return name === 'loss' ? 'test_loss' : name;
}
