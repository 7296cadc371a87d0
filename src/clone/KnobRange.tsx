import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { IKnobInput } from './formState';
import { IKnobField } from './knobFields';
import { IInputMarks } from './KnobInput';

interface IKnobRangeProps {
  field: IKnobField;

  /** Of the knob. */
  name: string;
  input: IKnobInput;
  marks: IInputMarks;
  onChange: (change: Partial<IKnobInput>) => void;
  trans: TranslationBundle;
}

/**
 * An interval that the clones' values are drawn from.
 */
export function KnobRange(props: IKnobRangeProps): JSX.Element {
  const { field, name, input, marks, onChange, trans } = props;
  const { id, ...others } = marks;
  const shared = {
    ...others,
    type: 'text',
    inputMode: 'decimal',
    className: 'jp-mod-styled',
    autoComplete: 'off'
  } as const;
  return (
    <div className="jp-rf-Knob-range">
      <input
        {...shared}
        id={id}
        aria-label={trans.__('Start of %1', name)}
        placeholder={trans.__('start')}
        value={input.start}
        onChange={event => onChange({ start: event.target.value })}
      />
      <span aria-hidden="true">…</span>
      <input
        {...shared}
        aria-label={trans.__('End of %1', name)}
        placeholder={trans.__('end')}
        value={input.end}
        onChange={event => onChange({ end: event.target.value })}
      />
      <div className="jp-rf-Knob-range-kind">
        <label title={trans.__('Draw evenly over orders of magnitude')}>
          <input
            type="checkbox"
            className="jp-mod-styled"
            checked={input.log}
            onChange={event => onChange({ log: event.target.checked })}
          />
          {trans.__('log')}
        </label>
        {field.kind === 'number' && (
          <label title={trans.__('Draw whole numbers only')}>
            <input
              type="checkbox"
              className="jp-mod-styled"
              checked={input.whole}
              onChange={event => onChange({ whole: event.target.checked })}
            />
            {trans.__('whole')}
          </label>
        )}
      </div>
    </div>
  );
}
