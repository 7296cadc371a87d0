import { TranslationBundle } from '@jupyterlab/translation';

import { best } from '../charts/best';
import { IKnobRow } from '../charts/knobRows';
import { formatValue, knobsText } from '../format';

/** What every view of the knobs is given. */
export interface IKnobViewProps {
  trans: TranslationBundle;

  /** Best first. */
  rows: readonly IKnobRow[];

  /** Paths of the knobs that differ. */
  knobs: readonly string[];

  /** Their short names. */
  labels: ReadonlyMap<string, string>;
  metric: string;

  /** The run that the pointer is on. */
  focus: number | null;
  onFocus(runId: number | null): void;
}

/** The view in words: which run is best, and with what. */
export function knobViewText(props: IKnobViewProps): string {
  const { trans, rows, knobs, metric } = props;
  const winner = best(metric, rows, row => row.value);
  const text = trans._n(
    'Knobs of %1 run against %2.',
    'Knobs of %1 runs against %2.',
    rows.length,
    metric
  );
  return winner === null
    ? text
    : trans.__(
        '%1 Best: run %2 with %3 (%4).',
        text,
        winner.run.run_id,
        formatValue(winner.value),
        knobsText(winner.run, knobs)
      );
}
