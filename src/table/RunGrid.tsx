import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { IRunActions, IRunService, IRunsModel } from '../tokens';
import { IPlace } from './arrange';
import { IColumn } from './columns';
import { GridHead, WIDTHS } from './GridHead';
import { RunDetails } from './RunDetails';
import { RunRow } from './RunRow';
import { ISort } from './tableState';
import { useRowFocus } from './useRowFocus';
import { ISelection } from './useSelection';
import { useView } from './useView';
import { IHeights, Piece, pieces } from './windowing';

export interface IRunGridProps {
  places: readonly IPlace[];

  /** Their run ids. */
  order: readonly number[];
  columns: readonly IColumn[];

  /** Names of the knobs that tell the runs apart, by path. */
  knobs: ReadonlyMap<string, string>;
  selection: ISelection;
  sort: ISort;
  onSort: (sort: ISort) => void;
  isNarrow: boolean;
  blocked: string | null;
  experiment: string;
  service: IRunService;
  model: IRunsModel;
  actions: IRunActions;
  trans: TranslationBundle;
}

/** With more rows than these, only those that are seen are rendered. */
export const LONG = 150;

/** Heights in pixels until they are measured; details of a long table always have theirs. */
const ROW = { narrow: 50, wide: 30 };
const DETAILS = 320;

/**
 * The table itself.
 */
export function RunGrid(props: IRunGridProps): JSX.Element {
  const { places, order, columns, isNarrow, model, selection, trans } = props;
  const scroller = React.useRef<HTMLDivElement>(null);
  const [open, setOpen] = React.useState<ReadonlySet<number>>(() => new Set());
  const toggle = React.useCallback((runId: number) => {
    setOpen(old => toggled(old, runId));
  }, []);
  const focus = useRowFocus(scroller, order);
  const isLong = places.length > LONG;
  const view = useView(scroller, isLong, isNarrow ? ROW.narrow : ROW.wide);
  const heights: IHeights = { row: view.row, details: DETAILS };

  const shown = (): Piece[] => {
    if (!isLong) {
      return places.map((_, index) => ({ index }));
    }
    const tall = order.flatMap((id, index) => (open.has(id) ? [index] : []));
    const kept = focus.runId === null ? -1 : order.indexOf(focus.runId);
    const keep = kept < 0 ? null : kept;
    return pieces(view, places.length, tall, keep, heights);
  };

  const row = (piece: Piece) => {
    if ('gap' in piece) {
      return <Gap key={`gap-${piece.before}`} height={piece.gap} />;
    }
    const { run, depth } = places[piece.index];
    const isOpen = open.has(run.run_id);
    return (
      <React.Fragment key={run.run_id}>
        <RunRow
          run={run}
          depth={depth}
          rowIndex={piece.index + 2}
          pending={model.pending(run.run_id)}
          blocked={props.blocked}
          isSelected={selection.has(run.run_id)}
          isOpen={isOpen}
          isNarrow={isNarrow}
          columns={columns}
          knobs={props.knobs}
          experiment={props.experiment}
          actions={props.actions}
          trans={trans}
          onSelect={selection.toggle}
          onOpen={toggle}
        />
        {isOpen && (
          <tr className="jp-rf-DetailsRow" data-details-of={run.run_id}>
            <td colSpan={columns.length + (isNarrow ? 3 : 4)}>
              <div style={isLong ? { height: DETAILS } : undefined}>
                <RunDetails
                  run={run}
                  experiment={props.experiment}
                  service={props.service}
                  trans={trans}
                />
              </div>
            </td>
          </tr>
        )}
      </React.Fragment>
    );
  };

  return (
    <div
      ref={scroller}
      className={`jp-rf-RunGrid${isLong ? ' jp-mod-long' : ''}`}
      {...focus.handlers}
    >
      <table
        aria-label={trans.__('Runs')}
        aria-rowcount={places.length + 1}
        style={{ minWidth: `${minWidth(columns, isNarrow)}em` }}
      >
        <GridHead {...props} />
        <tbody>{shown().map(row)}</tbody>
      </table>
    </div>
  );
}

/** The room of rows that are not rendered. */
function Gap({ height }: { height: number }): JSX.Element {
  return (
    <tr className="jp-rf-RunGrid-gap" aria-hidden="true">
      <td style={{ height }} />
    </tr>
  );
}

function toggled(old: ReadonlySet<number>, runId: number): Set<number> {
  const next = new Set(old);
  if (!next.delete(runId)) {
    next.add(runId);
  }
  return next;
}

function minWidth(columns: readonly IColumn[], isNarrow: boolean): number {
  const { select, open, run, actions } = isNarrow ? WIDTHS.narrow : WIDTHS.wide;
  return columns.reduce(
    (sum, { width }) => sum + width,
    select + open + run + actions
  );
}
