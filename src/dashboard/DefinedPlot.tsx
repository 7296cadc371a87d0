import * as React from 'react';

import { IDefinedPlot, IMetric } from '../tokens';
import { IChartsProps, LineChart } from './LineChart';

interface IDefinedPlotProps extends IChartsProps {
  plot: IDefinedPlot;

  /** The metrics that there are points of. */
  known: readonly IMetric[];
}

/**
 * A plot as a model template has defined it, with a line per trial and metric.
 */
export function DefinedPlot(props: IDefinedPlotProps): JSX.Element {
  const { plot, known, model } = props;
  const by = plot.x_axis;
  const has = (name: string) =>
    known.some(metric => metric.name === name && metric.per === 'step');
  const metrics = by === null || has(by) ? plot.metrics.filter(has) : [];
  return (
    <LineChart
      {...props}
      title={plot.title}
      metrics={metrics.map(name => ({ name, per: 'step' }))}
      axis={by === null ? 'run_time' : 'metric'}
      by={by}
      runs={model.runs.filter(run => plot.run_ids.includes(run.run_id))}
    />
  );
}
