import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { formatValue } from '../format';
import { IRun } from '../tokens';

interface IKnobChipsProps {
  run: IRun;

  /** Names to show, by path, in order. */
  labels: ReadonlyMap<string, string>;
  trans: TranslationBundle;
}

// More do not fit into a row; the details have them all.
const MOST = 6;

/**
 * What tells a run from the others.
 */
export function KnobChips({
  run,
  labels,
  trans
}: IKnobChipsProps): JSX.Element {
  const chips = knobTexts(run, labels);
  const rest = chips.slice(MOST);
  return (
    <div className="jp-rf-KnobChips">
      {chips.slice(0, MOST).map(({ path, text, value }) => (
        <span key={path} className="jp-rf-Chip" title={`${path} = ${value}`}>
          {text}
        </span>
      ))}
      {rest.length > 0 && (
        <span
          className="jp-rf-Chip jp-mod-more"
          title={rest.map(({ text }) => text).join('\n')}
        >
          {trans.__('+%1', rest.length)}
        </span>
      )}
    </div>
  );
}

interface IChip {
  path: string;
  label: string;
  value: string;
  text: string;
}

export function knobTexts(
  run: IRun,
  labels: ReadonlyMap<string, string>
): IChip[] {
  const chips: IChip[] = [];
  labels.forEach((label, path) => {
    if (path in run.knobs) {
      const value = formatValue(run.knobs[path]);
      chips.push({ path, label, value, text: `${label}=${value}` });
    }
  });
  return chips;
}
