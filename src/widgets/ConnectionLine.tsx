import { TranslationBundle } from '@jupyterlab/translation';
import { offlineBoltIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { explainError } from '../explain';
import { IRunService } from '../tokens';

interface IConnectionLineProps {
  service: IRunService;
  trans: TranslationBundle;
}

/**
 * What keeps the numbers from being fresh; nothing while they are.
 */
export function ConnectionLine(
  props: IConnectionLineProps
): JSX.Element | null {
  const { service, trans } = props;
  if (service.connection === 'offline') {
    return (
      <div className="jp-rf-ConnectionLine" role="status">
        <offlineBoltIcon.react tag="span" display="inline-flex" />
        {offlineText(service.lastSeen, trans)}
      </div>
    );
  }
  if (service.connection === 'unavailable') {
    return (
      <div className="jp-rf-ConnectionLine jp-mod-problem" role="status">
        {explainError(service.problem, trans)}
      </div>
    );
  }
  return null;
}

function offlineText(
  lastSeen: number | null,
  trans: TranslationBundle
): string {
  if (lastSeen === null) {
    return trans.__('Offline');
  }
  const time = new Date(lastSeen).toLocaleTimeString(undefined, {
    hour: '2-digit',
    minute: '2-digit'
  });
  return trans.__('Offline, last seen %1', time);
}
