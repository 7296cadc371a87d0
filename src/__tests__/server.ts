import { ServerConnection } from '@jupyterlab/services';

/**
 * Server settings whose every request gets the same answer.
 */
export function serverAnswering(
  body: unknown,
  init: ResponseInit = {}
): { settings: ServerConnection.ISettings; fetch: jest.Mock } {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const fetch = jest.fn(async () => new Response(text, init));
  return { settings: serverWith(fetch), fetch };
}

/**
 * Server settings whose requests go to `fetch`.
 */
export function serverWith(
  fetch: ServerConnection.ISettings['fetch']
): ServerConnection.ISettings {
  return ServerConnection.makeSettings({
    baseUrl: 'http://localhost/user/ada/',
    fetch
  });
}
