import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

/** Path below the server's base URL that all our routes share. */
export const API_NAMESPACE = 'rapidfire-lab/api';

/**
 * The server answered, but has no route of ours: it runs without our server extension.
 */
export class ServerExtensionMissingError extends Error {
  constructor(readonly url: string) {
    super(`The server extension rapidfire_lab is not enabled (no ${url}).`);
    this.name = 'ServerExtensionMissingError';
  }
}

/**
 * Call a route of the server extension and return the JSON that it answers.
 *
 * Rejects with `ServerExtensionMissingError`, `ServerConnection.NetworkError`, or
 * `ServerConnection.ResponseError` carrying the server's own message.
 */
export async function requestAPI<T>(
  route: string,
  settings: ServerConnection.ISettings,
  init: RequestInit = {}
): Promise<T> {
  const url = URLExt.join(settings.baseUrl, API_NAMESPACE, route);
  const response = await ServerConnection.makeRequest(url, init, settings);
  const body = parseBody(await response.text());

  if (response.ok && body !== undefined) {
    return body as T;
  }
  // Our own 404s (an unknown run, say) come as JSON; Jupyter's page for an unknown path is HTML.
  if (response.status === 404 && body === undefined) {
    throw new ServerExtensionMissingError(url);
  }
  throw new ServerConnection.ResponseError(response, messageIn(body));
}

/**
 * The body as JSON, or undefined when it is something else.
 */
function parseBody(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * The words that Jupyter Server put into a JSON error, if any.
 */
function messageIn(body: unknown): string | undefined {
  const message = (body as { message?: unknown } | null | undefined)?.message;
  return typeof message === 'string' && message ? message : undefined;
}
