import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { IRun } from '../tokens';
import { knobTexts } from './KnobChips';
import { originText } from './origin';

interface IRunNameProps {
  run: IRun;

  /** How many of its ancestors are above it. */
  depth: number;

  /** With them, a second line tells what is special about the run. */
  knobs?: ReadonlyMap<string, string>;
  trans: TranslationBundle;
}

/** Indents beyond this depth would leave no room for the name. */
const DEEPEST = 4;

/**
 * The header of a run's row. Its name is the run id alone, which is what screen readers repeat
 * for every cell; where the run comes from is its description.
 */
export function RunName(props: IRunNameProps): JSX.Element {
  const { run, depth, knobs, trans } = props;
  const texts = knobs ? knobTexts(run, knobs) : [];
  return (
    <th
      scope="row"
      className="jp-rf-RunName"
      title={run.parent === null ? undefined : originText(run, trans)}
    >
      <div
        className="jp-rf-RunName-line"
        style={{
          paddingLeft: `${(knobs ? 0.4 : 0.9) * Math.min(depth, DEEPEST)}em`
        }}
      >
        {run.run_id}
        {run.parent !== null && (
          <span className="jp-rf-RunName-parent" aria-hidden="true">
            {trans.__('← %1', run.parent)}
          </span>
        )}
      </div>
      {knobs && (
        <div
          className="jp-rf-RunName-knobs"
          aria-hidden="true"
          title={texts.map(({ text }) => text).join('\n')}
        >
          {texts.map(shortText).join(' · ')}
        </div>
      )}
    </th>
  );
}

/** A number says little without its name; a word says enough, and there is no room for both. */
function shortText({ label, value }: { label: string; value: string }): string {
  return Number.isNaN(Number(value)) ? value : `${label} ${value}`;
}
