import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { IBars, intervalBars } from '../charts/intervals';
import { markOf } from '../charts/palette';
import { formatValue } from '../format';
import { intervalSentence, isCrediblyWorse } from '../races';
import { IRace } from '../tokens';
import { RaceTable } from './RaceTable';
import { TableToggle } from './TableToggle';
import { useWidth } from './useWidth';

interface IRaceChartProps {
  race: IRace;
  hidden: ReadonlySet<number>;
  trans: TranslationBundle;
}

const ROW = 18;
const TOP = 6;
const LEFT = 64;
const RIGHT = 16;

/** Half the height of the mark at the end of an interval. */
const CAP = 4;

/**
 * How far the runs of a race are from the best one, as intervals, or as a table.
 */
export function RaceChart(props: IRaceChartProps): JSX.Element {
  const { race, trans } = props;
  const [asTable, setAsTable] = React.useState(false);
  const title = trans.__(
    'Race %1: %2 less that of run %3',
    race.search,
    race.metric,
    race.best ?? '–'
  );
  return (
    <section
      className="jp-rf-Chart"
      aria-label={trans.__('Chart of the race %1', race.search)}
    >
      <div className="jp-rf-Chart-head">
        <h3 className="jp-rf-Chart-title">{title}</h3>
        <TableToggle trans={trans} asTable={asTable} onToggle={setAsTable} />
      </div>
      <div className="jp-rf-Chart-body" data-table={asTable}>
        {asTable ? <RaceTable {...props} /> : <Bars {...props} />}
      </div>
      {!asTable && (
        <div className="jp-rf-Chart-axis">
          {race.mode === 'min'
            ? trans.__('Worse to the right; filled: credibly worse')
            : trans.__('Worse to the left; filled: credibly worse')}
        </div>
      )}
    </section>
  );
}

function Bars(props: IRaceChartProps): JSX.Element {
  const { race, hidden, trans } = props;
  const host = React.useRef<HTMLDivElement>(null);
  const width = Math.max(useWidth(host), 260);
  const drawn = intervalBars(race, hidden);
  return (
    <div className="jp-rf-Race" ref={host}>
      {drawn.bars.length ? (
        <Drawing {...props} {...drawn} width={width} />
      ) : (
        <p className="jp-rf-Chart-none">
          {trans.__('Run %1 is hidden, or all others are', race.best ?? '–')}
        </p>
      )}
    </div>
  );
}

interface IDrawingProps extends IRaceChartProps, IBars {
  width: number;
}

function Drawing(props: IDrawingProps): JSX.Element {
  const { race, hidden, trans, width, bars, zero, ticks } = props;
  const bottom = TOP + ROW * bars.length;
  const xOf = (at: number) => LEFT + at * (width - LEFT - RIGHT);
  return (
    <svg
      width={width}
      height={bottom + 24}
      role="img"
      aria-label={raceText(race, hidden, trans)}
    >
      <g className="jp-rf-Axis" aria-hidden="true">
        {ticks.map(({ at, value }) => (
          <g key={value}>
            <line
              className="jp-rf-Axis-grid"
              x1={xOf(at)}
              x2={xOf(at)}
              y1={TOP}
              y2={bottom}
            />
            <text x={xOf(at)} y={bottom + 16} textAnchor="middle">
              {formatValue(value)}
            </text>
          </g>
        ))}
        <line x1={xOf(zero)} x2={xOf(zero)} y1={TOP} y2={bottom} />
      </g>
      {bars.map((bar, index) => {
        const y = TOP + ROW * (index + 0.5);
        const runId = bar.interval.run_id;
        const [from, to] = [xOf(bar.low), xOf(bar.high)];
        const mark = markOf(runId);
        const caps = [
          bar.isCutLow ? '' : `M${from} ${y - CAP}V${y + CAP}`,
          bar.isCutHigh ? '' : `M${to} ${y - CAP}V${y + CAP}`
        ].join('');
        return (
          <g
            key={runId}
            className="jp-rf-Race-bar"
            data-worse={isCrediblyWorse(race, bar.interval)}
            style={{ color: mark.colour }}
          >
            <title>{`${trans.__('Run %1', runId)}. ${intervalSentence(race, bar.interval, trans)}`}</title>
            <text x={LEFT - 10} y={y} textAnchor="end">
              {trans.__('Run %1', runId)}
            </text>
            <path
              d={`M${from} ${y}H${to}`}
              strokeDasharray={mark.dash.join(' ') || undefined}
            />
            <path d={caps} />
            <circle cx={xOf(bar.at)} cy={y} r={4} />
          </g>
        );
      })}
    </svg>
  );
}

/**
 * The chart in a sentence or two.
 */
function raceText(
  race: IRace,
  hidden: ReadonlySet<number>,
  trans: TranslationBundle
): string {
  const shown = intervalBars(race, hidden).bars;
  const worse = shown.filter(bar => isCrediblyWorse(race, bar.interval));
  const what = trans._n(
    'Interval of %2 of %1 run, less that of run %3, at a confidence of %4.',
    'Intervals of %2 of %1 runs, less that of run %3, at a confidence of %4.',
    shown.length,
    race.metric,
    race.best ?? 0,
    race.confidence
  );
  return trans._n(
    '%2 %1 is credibly worse.',
    '%2 %1 are credibly worse.',
    worse.length,
    what
  );
}
