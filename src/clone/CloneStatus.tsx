import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { CloneCheck } from './cloneModel';

interface ICloneStatusProps {
  check: CloneCheck;
  trans: TranslationBundle;
}

/**
 * How far the engine is with what was entered.
 */
export function CloneStatus({ check, trans }: ICloneStatusProps): JSX.Element {
  return (
    <div role="status" className="jp-rf-CloneStatus" data-state={check.state}>
      {statusText(check, trans)}
    </div>
  );
}

function statusText(check: CloneCheck, trans: TranslationBundle): string {
  switch (check.state) {
    case 'asking':
      return trans.__('Checking…');
    case 'submitting':
      return trans.__('Asking the engine…');
    case 'accepted':
      return trans._n(
        'Checked: this makes %1 clone.',
        'Checked: this makes %1 clones.',
        check.count
      );
    default:
      return '';
  }
}
