import { TranslationBundle } from '@jupyterlab/translation';
import { caretDownIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { IMetric } from '../tokens';

interface IMetricPickerProps {
  trans: TranslationBundle;
  metrics: readonly IMetric[];
  chosen: readonly string[];
  onChoose(names: string[]): void;
}

/**
 * A list, folded away, of the metrics that can have a chart.
 */
export function MetricPicker(props: IMetricPickerProps): JSX.Element {
  const { trans, metrics, chosen, onChoose } = props;
  const details = React.useRef<HTMLDetailsElement>(null);
  const close = (event: React.FocusEvent | React.KeyboardEvent) => {
    const element = details.current;
    const isInside =
      'relatedTarget' in event &&
      (!event.relatedTarget || element?.contains(event.relatedTarget as Node));
    if (element?.open && !isInside) {
      element.open = false;
    }
  };
  return (
    <details
      className="jp-rf-Picker"
      ref={details}
      onBlur={close}
      onKeyDown={event => {
        if (event.key === 'Escape') {
          close(event);
          details.current?.querySelector('summary')?.focus();
        }
      }}
    >
      <summary className="jp-rf-Dashboard-button">
        {trans.__('Metrics (%1 of %2)', chosen.length, metrics.length)}
        <caretDownIcon.react tag="span" width="14px" height="14px" />
      </summary>
      {/* Can be focused, so that a click on a label does not leave the list. */}
      <fieldset className="jp-rf-Picker-list" tabIndex={-1}>
        <legend className="jp-rf-hiddenText">
          {trans.__('Metrics with a chart')}
        </legend>
        {metrics.map(({ name, per }) => (
          <label key={`${per} ${name}`} className="jp-rf-Picker-choice">
            <input
              type="checkbox"
              checked={chosen.includes(name)}
              onChange={() =>
                onChoose(
                  chosen.includes(name)
                    ? chosen.filter(other => other !== name)
                    : [...chosen, name]
                )
              }
            />
            <span>{name}</span>
            <span className="jp-rf-quiet">
              {per === 'step'
                ? trans.__('per minibatch')
                : trans.__('per epoch')}
            </span>
          </label>
        ))}
      </fieldset>
    </details>
  );
}
