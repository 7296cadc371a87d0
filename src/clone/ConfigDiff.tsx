import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { KnobValue } from '../tokens';
import { IKnobChange, KnobReading } from './cloneChanges';
import { fieldName, IKnobField } from './knobFields';
import { fieldText } from './knobValues';

interface IConfigDiffProps {
  diff: readonly IKnobChange[];

  /** Whether the clone is another run also without changes. */
  isWarm: boolean;
  trans: TranslationBundle;
}

/**
 * What the clones change of their parent.
 */
export function ConfigDiff(props: IConfigDiffProps): JSX.Element {
  const { diff, isWarm, trans } = props;
  if (!diff.length) {
    return (
      <p className="jp-rf-Clone-remark">
        {isWarm
          ? trans.__('No knob is changed: the config is that of the parent.')
          : trans.__('Nothing is changed yet: change at least one knob.')}
      </p>
    );
  }
  return (
    <ul className="jp-rf-ConfigDiff" aria-label={trans.__('Changes')}>
      {diff.map(({ field, from, to }) => (
        <li key={field.id} title={field.id}>
          <span className="jp-rf-ConfigDiff-name">{fieldName(field)}</span>{' '}
          <del>{valueText(field, from, trans)}</del>{' '}
          <span aria-hidden="true">→</span>{' '}
          <ins>{readingText(field, to, trans)}</ins>
        </li>
      ))}
    </ul>
  );
}

function readingText(
  field: IKnobField,
  reading: KnobReading,
  trans: TranslationBundle
): string {
  if ('value' in reading) {
    return valueText(field, reading.value, trans);
  }
  if ('list' in reading) {
    const texts = reading.list.map(value => valueText(field, value, trans));
    return `[${texts.join(', ')}]`;
  }
  const { start, end, log } = reading.range;
  return log
    ? trans.__('%1 … %2, log', start, end)
    : trans.__('%1 … %2', start, end);
}

function valueText(
  field: IKnobField,
  value: KnobValue | undefined,
  trans: TranslationBundle
): string {
  if (value === undefined) {
    return '–';
  }
  return fieldText(field, value) || trans.__('none');
}
