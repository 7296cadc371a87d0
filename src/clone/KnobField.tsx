import { closeIcon, undoIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { keepsName, siblingTexts } from './cloneFields';
import { ICloneFormProps } from './cloneFormProps';
import {
  inputOf,
  removeArgument,
  revert,
  setInput,
  setMode
} from './formState';
import { KnobChoices } from './KnobChoices';
import { fieldName, IKnobField, isClassName } from './knobFields';
import { KnobInput } from './KnobInput';
import { KnobModeSelect } from './KnobModeSelect';
import { KnobRange } from './KnobRange';
import { fieldText } from './knobValues';
import { torchNames, TorchPart } from './torchNames';

interface IKnobFieldProps extends ICloneFormProps {
  field: IKnobField;

  /** What stands before it; its name by default. */
  label?: string;
}

/**
 * One knob: its label, its value or values, and how to get the parent's back.
 */
export function KnobField(props: IKnobFieldProps): JSX.Element {
  const { field, form, edit, messages, changed, trans } = props;
  const id = React.useId();
  const name = fieldName(field);
  const input = inputOf(form, field);
  const message = messages.get(field.id);
  const isChanged = changed.has(field.id);
  const note = message ?? hint(props, isChanged);
  const marks = {
    id,
    'aria-describedby': note ? `${id}-note` : undefined,
    'aria-invalid': message ? true : undefined
  };
  const change = (update: Partial<typeof input>) =>
    edit(form => setInput(form, field, update));
  const canMultiply = !field.secret && field.kind !== 'names';
  const isChoice = field.kind === 'choice' || field.kind === 'boolean';
  return (
    <div
      className={`jp-rf-Knob${isChanged ? ' jp-mod-changed' : ''}`}
      data-rf-knob={field.id}
    >
      <label htmlFor={id} className="jp-rf-Knob-label">
        {props.label ?? name}
      </label>
      <div className="jp-rf-Knob-control">
        {input.mode === 'range' ? (
          <KnobRange
            {...{ field, name, input, marks, trans }}
            onChange={change}
          />
        ) : input.mode === 'list' && isChoice ? (
          <KnobChoices
            field={field}
            label={name}
            text={input.list}
            describedBy={marks['aria-describedby']}
            onChange={list => change({ list })}
          />
        ) : (
          <KnobInput
            field={field}
            mode={input.mode}
            text={input.mode === 'list' ? input.list : input.text}
            marks={marks}
            trans={trans}
            suggestions={suggestions(props)}
            onChange={text =>
              change(input.mode === 'list' ? { list: text } : { text })
            }
          />
        )}
      </div>
      {canMultiply && (
        <KnobModeSelect
          name={name}
          kind={field.kind}
          mode={input.mode}
          onChange={mode => edit(form => setMode(form, field, mode))}
          trans={trans}
        />
      )}
      <KnobReset {...props} isTouched={isChanged || field.id in form.inputs} />
      {note && (
        <div
          id={`${id}-note`}
          className={message ? 'jp-rf-Knob-problem' : 'jp-rf-Knob-note'}
        >
          {note}
        </div>
      )}
    </div>
  );
}

/** The button at the end of the row, where there is something to take back. */
function KnobReset(
  props: IKnobFieldProps & { isTouched: boolean }
): JSX.Element | null {
  const { field, form, edit, isTouched, trans } = props;
  const name = fieldName(field);
  const isAdded = form.added.some(knob => knob.path.join('.') === field.id);
  const isSpare =
    field.path[2] === 'args' &&
    field.parent !== undefined &&
    !keepsName(form, field.path[1] as TorchPart);
  if (!isAdded && !isSpare && !isTouched) {
    return null;
  }
  const label =
    isAdded || isSpare
      ? trans.__('Remove %1', name)
      : trans.__('Revert %1', name);
  const Icon = isAdded || isSpare ? closeIcon : undoIcon;
  return (
    <button
      type="button"
      className="jp-rf-Knob-reset"
      title={label}
      aria-label={label}
      onClick={event => {
        // The button goes; those who use the keyboard stay in the row.
        const row = event.currentTarget.parentElement;
        row?.querySelector<HTMLElement>('input, select, textarea')?.focus();
        edit(form =>
          isSpare ? removeArgument(form, field) : revert(form, field)
        );
      }}
    >
      <Icon.react tag="span" elementSize="normal" />
    </button>
  );
}

function hint(props: IKnobFieldProps, isChanged: boolean): string | null {
  const { field, form, trans } = props;
  if (field.secret) {
    return field.parent === '***'
      ? trans.__('Hidden by the server; the clone keeps it.')
      : trans.__('Fixed: it belongs to a value that the server hides.');
  }
  if (inputOf(form, field).mode === 'list' && field.kind !== 'choice') {
    return field.kind === 'json'
      ? trans.__('A JSON list with the value of each clone.')
      : field.kind === 'boolean'
        ? null
        : trans.__('Separated by commas; each value makes clones of its own.');
  }
  if (!isChanged || field.parent === undefined || field.kind === 'boolean') {
    return null;
  }
  return trans.__('was %1', fieldText(field, field.parent) || 'none');
}

function suggestions({ field, siblings }: IKnobFieldProps): string[] {
  const names = isClassName(field)
    ? torchNames(field.path[1] as TorchPart)
    : [];
  return [...new Set([...siblingTexts(field, siblings), ...names])];
}
