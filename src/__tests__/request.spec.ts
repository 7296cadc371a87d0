import { ServerConnection } from '@jupyterlab/services';

import { requestAPI, ServerExtensionMissingError } from '../request';
import { serverAnswering, serverWith } from './server';

const NOT_FOUND_PAGE = '<!DOCTYPE html><html><body>404</body></html>';

describe('requestAPI', () => {
  it('asks below the base URL and returns the JSON', async () => {
    const { settings, fetch } = serverAnswering({ answer: 42 });
    await expect(requestAPI('engine', settings)).resolves.toEqual({
      answer: 42
    });
    const request: Request = fetch.mock.calls[0][0];
    expect(new URL(request.url).pathname).toBe(
      '/user/ada/rapidfire-lab/api/engine'
    );
    expect(request.method).toBe('GET');
  });

  it('passes method and body on', async () => {
    const { settings, fetch } = serverAnswering({});
    await requestAPI('runs', settings, { method: 'POST', body: '{"a":1}' });
    const request: Request = fetch.mock.calls[0][0];
    expect(request.method).toBe('POST');
    await expect(request.text()).resolves.toBe('{"a":1}');
  });

  it('takes an HTML 404 for a missing server extension', async () => {
    const { settings } = serverAnswering(NOT_FOUND_PAGE, { status: 404 });
    const request = requestAPI('engine', settings);
    await expect(request).rejects.toBeInstanceOf(ServerExtensionMissingError);
    await expect(request).rejects.toThrow(
      'rapidfire_lab is not enabled (no http://localhost/user/ada/rapidfire-lab/api/engine)'
    );
  });

  it('takes a JSON 404 for an answer of our own', async () => {
    const { settings } = serverAnswering(
      { message: 'There is no run 7.' },
      { status: 404 }
    );
    const request = requestAPI('runs/7', settings);
    await expect(request).rejects.toBeInstanceOf(
      ServerConnection.ResponseError
    );
    await expect(request).rejects.toThrow('There is no run 7.');
  });

  it("carries the server's message and status on", async () => {
    const { settings } = serverAnswering(
      { message: 'The journal is of a newer release.', reason: null },
      { status: 503, statusText: 'Service Unavailable' }
    );
    await expect(requestAPI('engine', settings)).rejects.toMatchObject({
      message: 'The journal is of a newer release.',
      response: { status: 503 }
    });
  });

  it.each([
    ['a page', '<html></html>'],
    ['nothing', ''],
    ['JSON without a message', '{"reason": "x"}'],
    ['JSON that is no object', 'null']
  ])('names the status when an error comes with %s', async (_, body) => {
    const { settings } = serverAnswering(body, {
      status: 502,
      statusText: 'Bad Gateway'
    });
    await expect(requestAPI('engine', settings)).rejects.toThrow(
      'Invalid response: 502 Bad Gateway'
    );
  });

  it('refuses a success that is not JSON', async () => {
    const { settings } = serverAnswering('<html>log in</html>');
    await expect(requestAPI('engine', settings)).rejects.toBeInstanceOf(
      ServerConnection.ResponseError
    );
  });

  it('reports an unreachable server as a network error', async () => {
    const settings = serverWith(() =>
      Promise.reject(new TypeError('Failed to fetch'))
    );
    await expect(requestAPI('engine', settings)).rejects.toBeInstanceOf(
      ServerConnection.NetworkError
    );
  });
});
