import { TranslationBundle } from '@jupyterlab/translation';

import { IRunService } from '../tokens';

/**
 * Why runs cannot be steered at present; null if they can.
 */
export function blockedReason(
  service: IRunService,
  trans: TranslationBundle
): string | null {
  if (service.connection !== 'online') {
    return trans.__('The server cannot be reached');
  }
  return service.engine === 'not running'
    ? trans.__('The engine is not running; start it to steer runs')
    : null;
}
