import { TranslationBundle } from '@jupyterlab/translation';
import { HTMLSelect } from '@jupyterlab/ui-components';
import * as React from 'react';

import { KnobMode } from './formState';
import { KnobKind } from './knobValues';

interface IKnobModeSelectProps {
  /** Of the knob. */
  name: string;
  kind: KnobKind;
  mode: KnobMode;
  onChange: (mode: KnobMode) => void;
  trans: TranslationBundle;
}

/**
 * Chooses between one value and several, which make several clones.
 */
export function KnobModeSelect(props: IKnobModeSelectProps): JSX.Element {
  const { name, kind, mode, onChange, trans } = props;
  const isNumber = kind === 'integer' || kind === 'number';
  return (
    <HTMLSelect
      className="jp-rf-Knob-mode"
      aria-label={trans.__('One or several values of %1', name)}
      value={mode}
      onChange={event => onChange(event.target.value as KnobMode)}
    >
      <option value="one">{trans.__('one value')}</option>
      <option value="list">{trans.__('list')}</option>
      {isNumber && <option value="range">{trans.__('range')}</option>}
    </HTMLSelect>
  );
}
