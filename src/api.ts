import { ServerConnection } from '@jupyterlab/services';

import { requestAPI } from './request';
import { IEngineStatus } from './tokens';

/** Level of the REST API that this front end was written for. */
export const API_LEVEL = 1;

/**
 * The server extension is of another release than the page, as after an upgrade without a restart.
 */
export class ApiLevelError extends Error {
  constructor(
    readonly serverLevel: number,
    readonly serverVersion: string
  ) {
    super(
      `rapidfire_lab ${serverVersion} speaks API level ${serverLevel}, this page ${API_LEVEL}.`
    );
    this.name = 'ApiLevelError';
  }
}

/**
 * `GET /rapidfire-lab/api/engine`
 */
export async function getEngine(
  settings: ServerConnection.ISettings
): Promise<IEngineStatus> {
  const status = await requestAPI<IEngineStatus>('engine', settings);
  if (status.api_level !== API_LEVEL) {
    throw new ApiLevelError(status.api_level, status.version);
  }
  return status;
}
