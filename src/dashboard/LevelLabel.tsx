import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { EventLevel } from '../tokens';

/** A sign for each level, of its own shape: colour alone tells too few. */
const SIGNS: { [level in EventLevel]: string } = {
  info: 'M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM7.2 7h1.6v4.5H7.2zm0-2.7h1.6v1.6H7.2z',
  warning: 'M8 1.5 15 14H1zM7.2 6v4h1.6V6zm0 5v1.6h1.6V11z',
  error:
    'M5.3 1.5h5.4l3.8 3.8v5.4l-3.8 3.8H5.3l-3.8-3.8V5.3zM7.2 4v5h1.6V4zm0 6.4V12h1.6v-1.6z'
};

interface ILevelLabelProps {
  level: EventLevel;
  trans: TranslationBundle;
}

/**
 * What a log line is worth: a sign and a word.
 */
export function LevelLabel(props: ILevelLabelProps): JSX.Element {
  const { level, trans } = props;
  return (
    <span className="jp-rf-Level" data-level={level}>
      <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
        <path d={SIGNS[level]} fillRule="evenodd" />
      </svg>
      {levelText(level, trans)}
    </span>
  );
}

function levelText(level: EventLevel, trans: TranslationBundle): string {
  switch (level) {
    case 'info':
      return trans.__('info');
    case 'warning':
      return trans.__('warning');
    case 'error':
      return trans.__('error');
  }
}
