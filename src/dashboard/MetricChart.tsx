import * as React from 'react';

import { ChosenAxis } from '../charts/types';
import { IMetric } from '../tokens';
import { IChartsProps, LineChart } from './LineChart';

interface IMetricChartProps extends IChartsProps {
  metric: IMetric;
  axis: ChosenAxis;
}

/**
 * One metric of all runs.
 */
export function MetricChart(props: IMetricChartProps): JSX.Element {
  const { metric, model } = props;
  return (
    <LineChart
      {...props}
      title={metric.name}
      metrics={[metric]}
      by={null}
      runs={model.runs}
    />
  );
}
