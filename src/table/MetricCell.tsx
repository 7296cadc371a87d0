import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { formatValue } from '../format';
import { IRun } from '../tokens';
import { keyMetric, trendMetric } from './arrange';
import { MetricValue } from './MetricValue';
import { Sparkline } from './Sparkline';

interface IMetricCellProps {
  run: IRun;
  metric: string | null;
  trans: TranslationBundle;
}

/**
 * The key metric's value and course.
 */
export function MetricCell(props: IMetricCellProps): JSX.Element {
  const { run, metric, trans } = props;
  return (
    <div className="jp-rf-MetricCell">
      <MetricValue value={keyMetric(run, metric)} trans={trans} />
      {metric !== null && run.trend.length > 0 && (
        <Trend run={run} metric={metric} trans={trans} />
      )}
    </div>
  );
}

/**
 * The course of the metric; until the first epoch ends that of minibatches, which is told apart.
 */
function Trend(props: IMetricCellProps & { metric: string }): JSX.Element {
  const { run, metric, trans } = props;
  const shown = trendMetric(run, metric);
  return (
    <Sparkline
      values={run.trend}
      label={trendText(run, shown, trans)}
      isQuiet={shown !== metric}
    />
  );
}

/**
 * What a sparkline shows, for those who do not see it.
 */
function trendText(
  run: IRun,
  metric: string,
  trans: TranslationBundle
): string {
  const values = run.trend.filter((value): value is number => value !== null);
  if (!values.length) {
    return trans.__('%1 of run %2: no finite values', metric, run.run_id);
  }
  return trans.__(
    '%1 of run %2: from %3 to %4, lowest %5, highest %6',
    metric,
    run.run_id,
    formatValue(values[0]),
    formatValue(values[values.length - 1]),
    formatValue(Math.min(...values)),
    formatValue(Math.max(...values))
  );
}
