import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { axisLabel, serverX } from '../charts/axis';
import { suitsLog } from '../charts/best';
import { maxPoints, prepare } from '../charts/prepare';
import { IPlotStyle } from '../charts/types';
import { explainError } from '../explain';
import { IMetric, IRunService, IRunsModel } from '../tokens';
import { chartText } from './chartText';
import { PlotCanvas } from './PlotCanvas';
import { SeriesTable } from './SeriesTable';
import { TableToggle } from './TableToggle';
import { useSeries } from './useSeries';
import { useVisible } from './useVisible';
import { useWidth } from './useWidth';

interface IMetricChartProps extends IPlotStyle {
  service: IRunService;
  model: IRunsModel;
  trans: TranslationBundle;
  metric: IMetric;
  hidden: ReadonlySet<number>;

  /** The run that the legend points at. */
  focus: number | null;
  paused: boolean;
  theme: number;
  syncKey: string;
}

/**
 * One metric of all runs: as curves, or as a table for those who cannot see curves.
 */
export function MetricChart(props: IMetricChartProps): JSX.Element {
  const { service, model, trans, metric, axis, smoothing, hidden } = props;
  const log = props.log && suitsLog(metric.name);
  const card = React.useRef<HTMLElement>(null);
  const body = React.useRef<HTMLDivElement>(null);
  const visible = useVisible(card);
  const width = useWidth(body);
  const [asTable, setAsTable] = React.useState(false);
  const [zoomed, setZoomed] = React.useState(false);
  const [resets, setResets] = React.useState(0);

  const runs = model.runs;
  // Hundreds of pixels: a new question for every pixel of a drag would be noise.
  const points = maxPoints(Math.ceil(width / 100) * 100, runs.length);
  const isActive = visible && !props.paused && width > 0;
  const x = serverX(axis);
  const series = useSeries(service, model, metric, x, points, isActive);
  const { answer } = series;
  const runsKey = runs
    .map(run => `${run.run_id}/${run.steps_per_epoch}`)
    .join();
  const data = React.useMemo(
    () =>
      answer && prepare(answer, runs, { axis, log, smoothing }, width, hidden),
    // Of the runs, only what the key says matters: the rest changes all the time.
    [answer, runsKey, axis, log, smoothing, width, hidden]
  );
  const [withAll, setWithAll] = React.useState(false);
  const outside = data?.fit?.outside ?? 0;
  const drawn = React.useMemo(
    () => (data && withAll ? { ...data, fit: null } : data),
    [data, withAll]
  );
  const label = axisLabel(axis, trans);
  const isEmpty = data !== null && data.x.length === 0;
  return (
    <section
      className="jp-rf-Chart"
      ref={card}
      aria-label={trans.__('Chart of %1', metric.name)}
    >
      <div className="jp-rf-Chart-head">
        <h3 className="jp-rf-Chart-title">{metric.name}</h3>
        {zoomed && !asTable && (
          <button
            type="button"
            className="jp-rf-Link"
            onClick={() => setResets(resets + 1)}
          >
            {trans.__('Reset zoom')}
          </button>
        )}
        <TableToggle trans={trans} asTable={asTable} onToggle={setAsTable} />
      </div>
      <div className="jp-rf-Chart-body" ref={body} data-table={asTable}>
        {asTable && answer && (
          <SeriesTable
            trans={trans}
            model={model}
            answer={answer}
            hidden={hidden}
          />
        )}
        {!asTable && drawn && !isEmpty && (
          <PlotCanvas
            trans={trans}
            data={drawn}
            axis={axis}
            log={log}
            metric={metric.name}
            label={chartText(metric.name, label, model, hidden, trans)}
            hidden={hidden}
            focus={props.focus}
            width={width}
            theme={props.theme}
            syncKey={`${props.syncKey} ${axis}`}
            resets={resets}
            onZoom={setZoomed}
          />
        )}
        {isEmpty && (
          <p className="jp-rf-Chart-none">
            {answer?.series.some(({ run_id }) => hidden.has(run_id))
              ? trans.__('No points of the runs that are shown')
              : trans.__('No points yet')}
          </p>
        )}
      </div>
      {!asTable && <div className="jp-rf-Chart-axis">{label}</div>}
      {!asTable && outside > 0 && (
        <p className="jp-rf-Chart-note">
          {!withAll &&
            trans._n(
              '%1 run goes off the scale.',
              '%1 runs go off the scale.',
              outside
            )}{' '}
          <button
            type="button"
            className="jp-rf-Link"
            onClick={() => setWithAll(!withAll)}
          >
            {withAll
              ? trans.__('Fit the scale to most runs')
              : trans.__('Show all values')}
          </button>
        </p>
      )}
      {data && data.dropped > 0 && (
        <p className="jp-rf-Chart-note">
          {trans._n(
            '%1 value of zero or less has no place on a log scale.',
            '%1 values of zero or less have no place on a log scale.',
            data.dropped
          )}
        </p>
      )}
      {series.problem !== null && (
        <p className="jp-rf-Chart-note">
          {trans.__('Not up to date: %1', explainError(series.problem, trans))}
        </p>
      )}
    </section>
  );
}
