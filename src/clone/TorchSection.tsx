import * as React from 'react';

import { AddKnob } from './AddKnob';
import { droppedArguments, isFree, namesOf } from './cloneFields';
import { ICloneFormProps } from './cloneFormProps';
import { addKnob } from './formState';
import { KnobField } from './KnobField';
import { TorchPart } from './torchNames';

/**
 * The optimizer or the scheduler: its name and its arguments.
 */
export function TorchSection(
  props: ICloneFormProps & { part: TorchPart }
): JSX.Element {
  const { part, form, fields, edit, trans } = props;
  const own = fields.filter(
    ({ path }) => path[0] === 'train' && path[1] === part
  );
  const place = ['train', part, 'args'];
  const dropped = droppedArguments(form, part);
  return (
    <fieldset className="jp-rf-Clone-section">
      <legend>
        {part === 'optimizer'
          ? trans.__('Optimizer')
          : trans.__('Learning rate scheduler')}
      </legend>
      {own.map(field => (
        <KnobField
          key={field.id}
          {...props}
          field={field}
          label={field.path[2] === 'name' ? trans.__('name') : undefined}
        />
      ))}
      {dropped.length > 0 && (
        <p className="jp-rf-Clone-remark">
          {trans.__('Left out: %1.', dropped.join(', '))}
        </p>
      )}
      {namesOf(form, part).length > 0 && (
        <AddKnob
          label={trans.__('Add an argument')}
          isFree={name => isFree(form, place, name)}
          onAdd={(name, value) =>
            edit(form => addKnob(form, { path: [...place, name], value }))
          }
          trans={trans}
        />
      )}
    </fieldset>
  );
}
