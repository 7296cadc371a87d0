import { expect, test } from '@playwright/test';

import { cancelAll, notebook, Runs, train, watchConsole } from '../lab';

/** What Notebook writes to its console without us. */
const NOTEBOOKS_OWN = /reading 'schema'|filebrowser:open-path/;

test('a notebook of Notebook 7 shows and controls its runs', async ({
  page
}) => {
  const errors = watchConsole(page);
  const content = notebook([train('seven')]);
  await page.request.put('/api/contents/seven.ipynb', {
    data: { type: 'notebook', format: 'json', content }
  });
  await page.goto('/notebooks/seven.ipynb');
  // Notebook shows the cell before it listens to keys.
  await expect(async () => {
    await page.locator('.jp-Notebook .jp-CodeCell').first().click();
    await page.keyboard.press('Control+Enter');
    await expect(page.locator('.jp-InputPrompt').first()).toHaveText('[*]:', {
      timeout: 5000
    });
  }).toPass();
  const runs = new Runs(page.locator('.jp-OutputArea').first());
  await runs.says(1, 'running');
  await runs.moves(1);
  await runs.press('Stop', 1);
  await runs.says(1, 'stopped');
  await cancelAll(page, 'seven');
  expect(errors.filter(error => !NOTEBOOKS_OWN.test(error))).toEqual([]);
});
