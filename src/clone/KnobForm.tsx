import * as React from 'react';

import { isTrial } from './cloneFields';
import { ICloneFormProps } from './cloneFormProps';
import { KnobField } from './KnobField';
import { TorchSection } from './TorchSection';
import { UserKnobs } from './UserKnobs';

/**
 * All knobs of a config in sections, the most changed ones first.
 */
export function KnobForm(props: ICloneFormProps): JSX.Element {
  const { fields, trans } = props;
  const training = fields.filter(
    ({ path }) => path[0] === 'train' && path.length === 2
  );
  if (isTrial(props.form.parent)) {
    return <UserKnobs {...props} />;
  }
  const metrics = fields.filter(({ path }) => path[0] === 'named_metrics');
  return (
    <>
      <TorchSection {...props} part="optimizer" />
      <UserKnobs {...props} />
      <fieldset className="jp-rf-Clone-section">
        <legend>{trans.__('Training')}</legend>
        {training.map(field => (
          <KnobField key={field.id} {...props} field={field} />
        ))}
      </fieldset>
      <TorchSection {...props} part="lr_scheduler" />
      <fieldset className="jp-rf-Clone-section">
        <legend>{trans.__('Metrics')}</legend>
        {metrics.map(field => (
          <KnobField key={field.id} {...props} field={field} />
        ))}
      </fieldset>
    </>
  );
}
