import * as React from 'react';

import { AddKnob } from './AddKnob';
import { isFree, isTrial } from './cloneFields';
import { ICloneFormProps } from './cloneFormProps';
import { addKnob } from './formState';
import { KnobField } from './KnobField';
import { IKnobField } from './knobFields';

const PLACE = ['user_knobs'];

/**
 * The knobs that the user's own code reads; one that is a dict has a section of its own.
 */
export function UserKnobs(props: ICloneFormProps): JSX.Element {
  const { form, fields, edit, trans } = props;
  const own = fields.filter(({ path }) => path[0] === PLACE[0]);
  const dicts = [...new Set(own.filter(isNested).map(({ path }) => path[1]))];
  return (
    <fieldset className="jp-rf-Clone-section">
      <legend>{trans.__('Your knobs')}</legend>
      {own
        .filter(field => !isNested(field))
        .map(field => (
          <KnobField key={field.id} {...props} field={field} />
        ))}
      {dicts.map(key => (
        <fieldset key={key} className="jp-rf-Clone-section">
          <legend>{key}</legend>
          {own
            .filter(field => isNested(field) && field.path[1] === key)
            .map(field => (
              <KnobField
                key={field.id}
                {...props}
                field={field}
                label={field.path.slice(2).join('.')}
              />
            ))}
        </fieldset>
      ))}
      {!isTrial(form.parent) && (
        <AddKnob
          label={trans.__('Add a knob')}
          isFree={name => isFree(form, PLACE, name)}
          onAdd={(name, value) =>
            edit(form => addKnob(form, { path: [...PLACE, name], value }))
          }
          trans={trans}
        />
      )}
    </fieldset>
  );
}

function isNested(field: IKnobField): boolean {
  return field.path.length > 2;
}
