import { TranslationBundle } from '@jupyterlab/translation';
import { HTMLSelect } from '@jupyterlab/ui-components';
import * as React from 'react';

import { KnobMode } from './formState';
import { IKnobField } from './knobFields';

/** What ties an input to its label and its message. */
export interface IInputMarks {
  id: string;
  'aria-describedby'?: string;
  'aria-invalid'?: boolean;
}

interface IKnobInputProps {
  field: IKnobField;
  mode: KnobMode;
  text: string;
  marks: IInputMarks;
  suggestions: readonly string[];
  onChange: (text: string) => void;
  trans: TranslationBundle;
}

/** Characters from which JSON gets more than one line. */
const LONG = 48;

/**
 * The control for one value of a knob, or for a list of them as text.
 */
export function KnobInput(props: IKnobInputProps): JSX.Element {
  const { field, mode, text, marks, suggestions, onChange, trans } = props;
  const isList = mode === 'list';
  if (field.kind === 'boolean' && !isList && !field.secret) {
    return (
      <input
        {...marks}
        type="checkbox"
        className="jp-mod-styled"
        checked={text === 'true'}
        onChange={event => onChange(`${event.target.checked}`)}
      />
    );
  }
  if (field.kind === 'choice' && !isList && !field.secret) {
    return (
      <HTMLSelect
        {...marks}
        value={text}
        options={[...(field.choices ?? [])]}
        onChange={event => onChange(event.target.value)}
      />
    );
  }
  if (field.kind === 'json' && text.length > LONG) {
    return (
      <textarea
        {...marks}
        className="jp-mod-styled jp-rf-Knob-code"
        rows={Math.min(6, Math.ceil(text.length / LONG))}
        value={text}
        readOnly={field.secret}
        spellCheck={false}
        onChange={event => onChange(event.target.value)}
      />
    );
  }
  const isNumber = field.kind === 'integer' || field.kind === 'number';
  const offered = isList ? [] : suggestions;
  return (
    <>
      <input
        {...marks}
        type="text"
        className="jp-mod-styled"
        // Phones have no key for the comma of a list on their number pads.
        inputMode={isNumber && !isList ? 'decimal' : 'text'}
        list={offered.length ? `${marks.id}-suggestions` : undefined}
        placeholder={field.nullable ? trans.__('none') : undefined}
        value={text}
        readOnly={field.secret}
        autoComplete="off"
        spellCheck={false}
        onChange={event => onChange(event.target.value)}
      />
      {offered.length > 0 && (
        <datalist id={`${marks.id}-suggestions`}>
          {offered.map(value => (
            <option key={value} value={value} />
          ))}
        </datalist>
      )}
    </>
  );
}
