// Galata's defaults, on the system's Chromium: nothing is downloaded.
const baseConfig = require('@jupyterlab/galata/lib/playwright-config');

const port = 8897;

module.exports = {
  ...baseConfig,
  timeout: 180 * 1000,
  expect: { timeout: 1000 * (process.env.PATIENCE || 120) },
  reporter: [['list']],
  retries: 0,
  workers: 1,
  use: {
    ...baseConfig.use,
    baseURL: `http://127.0.0.1:${port}`,
    video: 'off',
    launchOptions: {
      executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync'
      ]
    }
  },
  webServer: {
    command: `jlpm start --port ${port} --allow-root`,
    url: `http://127.0.0.1:${port}/lab`,
    timeout: 120 * 1000,
    stdout: 'ignore',
    stderr: 'ignore',
    reuseExistingServer: false
  }
};
