import { ServerConnection } from '@jupyterlab/services';
import { TranslationBundle } from '@jupyterlab/translation';

import { API_LEVEL, ApiLevelError } from './api';
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
    return explainLevels(error, trans);
  }
  if (error instanceof ServerConnection.NetworkError) {
    return trans.__('The Jupyter server cannot be reached.');
  }
  if (error instanceof ServerConnection.ResponseError) {
    return explainResponse(error, trans);
  }
  return error instanceof Error ? error.message : String(error);
}

/**
 * Of a page and a server of different releases, the older one is what has to be loaded anew.
 */
function explainLevels(error: ApiLevelError, trans: TranslationBundle): string {
  if (error.serverLevel > API_LEVEL) {
    return trans.__(
      'This page is of an older release of RapidFire Lab than the Jupyter server (%1). Reload this page.',
      error.serverVersion
    );
  }
  return trans.__(
    'The Jupyter server runs an older release of RapidFire Lab (%1) than this page. Restart the Jupyter server, then reload this page.',
    error.serverVersion
  );
}

/**
 * Our own answers (400, 404, 409, 503) say in plain words what to do; the others need some more.
 */
function explainResponse(
  error: ServerConnection.ResponseError,
  trans: TranslationBundle
): string {
  switch (error.response.status) {
    case 401:
    case 403:
      return trans.__(
        'The Jupyter server does not allow this (%1). If you are logged out, log in again; if not, ask its administrator for the permission "rapidfire_lab".',
        error.message
      );
    case 412:
      return trans.__(
        '%1 Nothing was done: look at the runs as they are now, and try again.',
        error.message
      );
    case 500:
      return trans.__(
        'The Jupyter server had an error of its own (%1). Its log says more.',
        error.message
      );
    case 502:
    case 504:
      return trans.__(
        'The Jupyter server does not answer (%1). It may be starting, or stopped.',
        error.message
      );
    default:
      return error.message;
  }
}
