import { ServerConnection } from '@jupyterlab/services';
import { nullTranslator } from '@jupyterlab/translation';

import { API_LEVEL, ApiLevelError } from '../api';
import { explainError } from '../explain';
import { ServerExtensionMissingError } from '../request';

const trans = nullTranslator.load('rapidfire_lab');

function answer(status: number, message?: string): Error {
  const response = new Response('', { status, statusText: 'Words' });
  return new ServerConnection.ResponseError(response, message);
}

describe('explainError', () => {
  it.each([
    [
      'a missing server extension',
      new ServerExtensionMissingError('/x'),
      'Run "jupyter server extension enable rapidfire_lab", then restart'
    ],
    [
      'an older server',
      new ApiLevelError(API_LEVEL - 1, '0.0.9'),
      'older release of RapidFire Lab (0.0.9) than this page. Restart the Jupyter server'
    ],
    [
      'an older page',
      new ApiLevelError(API_LEVEL + 1, '0.2.0'),
      'than the Jupyter server (0.2.0). Reload this page.'
    ],
    [
      'an unreachable server',
      new ServerConnection.NetworkError(new TypeError('Failed to fetch')),
      'The Jupyter server cannot be reached.'
    ],
    ['a forbidden action', answer(403, 'Forbidden'), 'log in again; if not'],
    ['an expired login', answer(401), 'log in again'],
    [
      'a stale view',
      answer(412, 'Run 3 is completed.'),
      'Run 3 is completed. Nothing was done'
    ],
    ['an illegal operation', answer(409, 'Run 3 is done.'), 'Run 3 is done.'],
    ['a bad request', answer(400, 'lr must be > 0.'), 'lr must be > 0.'],
    ['a missing engine', answer(503, 'Start it.'), 'Start it.'],
    ['a bug of the server', answer(500, 'KeyError'), '(KeyError). Its log'],
    ['a proxy alone', answer(502), 'It may be starting, or stopped.'],
    ['anything else', new Error('Oh.'), 'Oh.'],
    ['what is no error', 'Oh', 'Oh']
  ])('explains %s', (_, error, words) => {
    expect(explainError(error, trans)).toContain(words);
  });
});
