import { ServerConnection } from '@jupyterlab/services';
import { TranslationBundle } from '@jupyterlab/translation';

import { ApiLevelError } from './api';
import { ServerExtensionMissingError } from './request';

const ENABLE_COMMAND = 'jupyter server extension enable rapidfire_lab';

/**
 * Say what went wrong, and what to do about it, in the user's language.
 */
export function explainError(error: unknown, trans: TranslationBundle): string {
  if (error instanceof ServerExtensionMissingError) {
    return trans.__(
      'The RapidFire Lab server extension is not enabled. Run "%1", then restart the Jupyter server.',
      ENABLE_COMMAND
    );
  }
  if (error instanceof ApiLevelError) {
    return trans.__(
      'The Jupyter server and this page run different releases of RapidFire Lab. Restart the Jupyter server, then reload this page.'
    );
  }
  if (error instanceof ServerConnection.NetworkError) {
    return trans.__('The Jupyter server cannot be reached.');
  }
  return error instanceof Error ? error.message : String(error);
}
