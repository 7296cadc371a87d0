import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { intervalSentence, intervalText, IStanding } from '../races';

interface IIntervalCellProps {
  standing: IStanding | undefined;
  trans: TranslationBundle;
}

/**
 * The difference to the best run of a race: the interval for the eye, a sentence for everybody.
 */
export function IntervalCell(props: IIntervalCellProps): JSX.Element | null {
  const { standing, trans } = props;
  if (!standing) {
    return null;
  }
  const { race, interval } = standing;
  if (!interval) {
    return (
      <span title={trans.__('The others are held against it')}>
        {trans.__('best')}
      </span>
    );
  }
  const sentence = intervalSentence(race, interval, trans);
  return (
    <span className="jp-rf-IntervalCell" title={sentence}>
      <span aria-hidden="true">{intervalText(interval)}</span>
      <span className="jp-rf-visuallyHidden">{sentence}</span>
    </span>
  );
}
