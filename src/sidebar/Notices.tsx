import { TranslationBundle } from '@jupyterlab/translation';
import { closeIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { IRunsModel } from '../tokens';
import { ActionButton } from '../widgets/ActionButton';
import { useChanges } from '../widgets/useChanges';

interface INoticesProps {
  model: IRunsModel;
  trans: TranslationBundle;
}

/**
 * Warnings of the engine, until they are put away.
 */
export function Notices({ model, trans }: INoticesProps): JSX.Element | null {
  useChanges(model.changed);
  const [away, setAway] = React.useState<ReadonlySet<string>>(() => new Set());
  const shown = [...new Set(model.notices)].filter(notice => !away.has(notice));
  if (!shown.length) {
    return null;
  }
  return (
    <ul
      className="jp-rf-Notices"
      aria-label={trans.__('Notices of the engine')}
    >
      {shown.map(notice => (
        <li key={notice}>
          <span className="jp-rf-Notices-text" title={notice}>
            {notice}
          </span>
          <ActionButton
            icon={closeIcon}
            label={trans.__('Dismiss')}
            reason={null}
            onClick={() => setAway(new Set([...away, notice]))}
          />
        </li>
      ))}
    </ul>
  );
}
