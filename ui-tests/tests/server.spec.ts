import { expect, test } from '@playwright/test';
import { mkdtempSync } from 'fs';
import { tmpdir } from 'os';
import { join } from 'path';

import { openSidebar, Runs, train } from '../lab';
import { killEngine, runPython, Server } from '../processes';

test('runs stay live through a restart of the Jupyter server', async ({
  page
}) => {
  const home = mkdtempSync(join(tmpdir(), 'rapidfire_lab-ui-server-'));
  const server = new Server(8898, home);
  try {
    await server.start();
    runPython(`${train('server').slice(0, -1)}, wait=False)`, home);
    await page.goto(`${server.url}/lab`);
    const sidebar = await openSidebar(page);
    const runs = new Runs(sidebar);
    await runs.moves(1);

    await server.stop();
    await expect(sidebar).toContainText(/offline/i);
    await server.start();
    // JupyterLab's own message that the server was away.
    const dismiss = page.getByRole('button', { name: /^(Dismiss|OK|Ok)$/ });
    await page.addLocatorHandler(dismiss, () => dismiss.click());
    await expect(sidebar).not.toContainText(/offline/i);
    await runs.moves(1);
    await runs.press('Stop', 2);
    await runs.says(2, 'stopped');

    await page.reload();
    const after = new Runs(await openSidebar(page));
    await after.says(2, 'stopped');
    await after.moves(1);
  } finally {
    await server.stop();
    killEngine(home);
  }
});
