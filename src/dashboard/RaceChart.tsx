import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { intervalBars } from '../charts/intervals';
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
      <div className="jp-rf-Chart-body" data-table={true}>
        {asTable ? <RaceTable {...props} /> : <Bars {...props} />}
      </div>
    </section>
  );
}

function Bars({ race, hidden, trans }: IRaceChartProps): JSX.Element {
  const host = React.useRef<HTMLDivElement>(null);
  const width = Math.max(useWidth(host), 260);
  const { bars, zero, ticks } = intervalBars(race, hidden);
  const bottom = TOP + ROW * bars.length;
  const xOf = (at: number) => LEFT + at * (width - LEFT - RIGHT);
  return (
    <div className="jp-rf-Race" ref={host}>
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
          const caps = [
            bar.isCutLow ? '' : `M${from} ${y - CAP}V${y + CAP}`,
            bar.isCutHigh ? '' : `M${to} ${y - CAP}V${y + CAP}`
          ].join('');
          return (
            <g
              key={runId}
              className="jp-rf-Race-bar"
              data-worse={isCrediblyWorse(race, bar.interval)}
              style={{ color: markOf(runId).colour }}
            >
              <title>{`${trans.__('Run %1', runId)}. ${intervalSentence(race, bar.interval, trans)}`}</title>
              <text x={LEFT - 10} y={y} textAnchor="end">
                {trans.__('Run %1', runId)}
              </text>
              <path d={`M${from} ${y}H${to}${caps}`} />
              <circle cx={xOf(bar.at)} cy={y} r={4} />
            </g>
          );
        })}
      </svg>
    </div>
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
