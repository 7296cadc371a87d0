import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { axisLabel, serverX } from '../charts/axis';
import { suitsLog } from '../charts/best';
import { maxPoints, prepare } from '../charts/prepare';
import { AxisKind } from '../charts/types';
import { explainError } from '../explain';
import { IMetric, IRun, IRunService, IRunsModel } from '../tokens';
import { chartText } from './chartText';
import { MetricKeys } from './MetricKeys';
import { PlotCanvas } from './PlotCanvas';
import { SeriesTable } from './SeriesTable';
import { TableToggle } from './TableToggle';
import { useSeries } from './useSeries';
import { useVisible } from './useVisible';
import { useWidth } from './useWidth';

/** What all charts of a tab have in common. */
export interface IChartsProps {
  service: IRunService;
  model: IRunsModel;
  trans: TranslationBundle;
  log: boolean;

  /** 0 (none) to 0.99. */
  smoothing: number;
  hidden: ReadonlySet<number>;

  /** The run that the legend points at. */
  focus: number | null;
  paused: boolean;
  theme: number;
  syncKey: string;
}

interface ILineChartProps extends IChartsProps {
  title: string;
  metrics: readonly IMetric[];
  axis: AxisKind;

  /** The metric of an axis that goes by one. */
  by: string | null;

  /** Those that the chart is about. */
  runs: readonly IRun[];
}

/**
 * Metrics of runs: as curves, or as a table for those who cannot see curves.
 */
export function LineChart(props: ILineChartProps): JSX.Element {
  const { service, model, trans, title, metrics, axis, by } = props;
  const { runs, smoothing, hidden } = props;
  const names = metrics.map(metric => metric.name);
  const log = props.log && names.every(suitsLog);
  const card = React.useRef<HTMLElement>(null);
  const body = React.useRef<HTMLDivElement>(null);
  const visible = useVisible(card);
  const width = useWidth(body);
  const [asTable, setAsTable] = React.useState(false);
  const [zoomed, setZoomed] = React.useState(false);
  const [resets, setResets] = React.useState(0);

  // Hundreds of pixels: a new question for every pixel of a drag would be noise.
  const points = maxPoints(
    Math.ceil(width / 100) * 100,
    runs.length * metrics.length
  );
  const isActive = visible && !props.paused && width > 0;
  const asked = { metrics, x: serverX(axis), by };
  const series = useSeries(service, model, asked, points, isActive);
  const { answers } = series;
  const runsKey = runs
    .map(run => `${run.run_id}/${run.steps_per_epoch}`)
    .join();
  const data = React.useMemo(
    () =>
      answers &&
      prepare(answers, runs, { axis, log, smoothing }, width, hidden),
    // Of the runs, only what the key says matters: the rest changes all the time.
    [answers, runsKey, axis, log, smoothing, width, hidden]
  );
  const [withAll, setWithAll] = React.useState(false);
  const outside = data?.fit?.outside ?? 0;
  const drawn = React.useMemo(
    () => (data && withAll ? { ...data, fit: null } : data),
    [data, withAll]
  );
  const label = axisLabel(axis, trans, by ?? '');
  const shown = new Set(
    runs.map(run => run.run_id).filter(id => !hidden.has(id))
  );
  const isEmpty = data !== null && data.x.length === 0;
  return (
    <section
      className="jp-rf-Chart"
      ref={card}
      aria-label={trans.__('Chart of %1', title)}
    >
      <div className="jp-rf-Chart-head">
        <h3 className="jp-rf-Chart-title" title={title}>
          {title}
        </h3>
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
        {asTable &&
          answers?.map(answer => (
            <SeriesTable
              key={answer.metric}
              trans={trans}
              model={model}
              answer={answer}
              runIds={shown}
              isNamed={answers.length > 1}
            />
          ))}
        {!asTable && drawn && !isEmpty && (
          <PlotCanvas
            trans={trans}
            data={drawn}
            axis={axis}
            log={log}
            by={by}
            metric={names[0]}
            label={chartText(names.join(', '), label, runs, hidden, trans)}
            hidden={hidden}
            focus={props.focus}
            width={width}
            theme={props.theme}
            syncKey={`${props.syncKey} ${axis} ${by ?? ''}`}
            resets={resets}
            onZoom={setZoomed}
          />
        )}
        {isEmpty && (
          <p className="jp-rf-Chart-none">
            {answers?.length && shown.size < runs.length
              ? trans.__('No points of the runs that are shown')
              : trans.__('No points yet')}
          </p>
        )}
      </div>
      {!asTable && <div className="jp-rf-Chart-axis">{label}</div>}
      {!asTable && names.length > 1 && <MetricKeys names={names} />}
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
