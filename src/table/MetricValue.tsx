import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { formatValue } from '../format';

interface IMetricValueProps {
  /** null stands for NaN and infinity; undefined for no value yet. */
  value: number | null | undefined;
  trans: TranslationBundle;
}

/**
 * A metric's value. One that is not finite is pointed out: the run has most likely diverged.
 */
export function MetricValue({ value, trans }: IMetricValueProps): JSX.Element {
  if (value === null) {
    return (
      <span
        className="jp-rf-MetricValue jp-mod-notFinite"
        title={trans.__('Not a number, or infinite')}
      >
        {trans.__('NaN')}
      </span>
    );
  }
  return (
    <span
      className="jp-rf-MetricValue"
      title={value === undefined ? undefined : `${value}`}
    >
      {formatValue(value)}
    </span>
  );
}
