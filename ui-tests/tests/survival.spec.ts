import { killEngine } from '../processes';
import {
  cancelAll,
  engineHome,
  expect,
  isBusy,
  openSidebar,
  reload,
  Runs,
  startCell,
  test,
  train
} from '../lab';

// Galata's stand-ins for these services answer a restart as if a kernel was started.
test.use({ kernels: null, sessions: null });

test('runs stay live through a reload while the kernel is busy', async ({
  page
}) => {
  const output = await startCell(page, 'reload.ipynb', train('reload'));
  await new Runs(output).says(1, 'running');
  const runs = new Runs(await openSidebar(page));
  await runs.moves(1);
  await page.notebook.save();
  await reload(page);

  const after = new Runs(page.locator('.jp-Notebook .jp-OutputArea').first());
  await after.says(1, 'running');
  await after.moves(1);
  await new Runs(await openSidebar(page)).moves(2);
  await after.press('Stop', 2);
  await after.says(2, 'stopped');
  await cancelAll(page, 'reload');
});

test('runs stay live through a restart of the kernel', async ({ page }) => {
  const output = await startCell(page, 'restart.ipynb', train('restart'));
  const runs = new Runs(output);
  await runs.says(1, 'running');
  await isBusy(page);
  await page.evaluate(() => {
    void window.jupyterapp.commands.execute('kernelmenu:restart');
  });
  await page.getByRole('button', { name: 'Confirm Kernel Restart' }).click();
  await expect(page.locator('.jp-InputPrompt').first()).not.toHaveText('[*]:');
  await runs.moves(1);
  await runs.press('Stop', 1);
  await runs.says(1, 'stopped');
  await cancelAll(page, 'restart');
});

test('the engine is killed, and started again from the sidebar', async ({
  page
}) => {
  const output = await startCell(page, 'killed.ipynb', train('killed'));
  await new Runs(output).says(1, 'running');
  await isBusy(page);
  // The waiting cell would start the engine anew itself.
  await page.kernel.shutdownAll();
  const sidebar = await openSidebar(page);
  const runs = new Runs(sidebar);
  await runs.moves(1);
  const before = await runs.progress(1);

  await killEngine(await engineHome(page));
  await expect(sidebar).toContainText('not running');
  await runs.says(1, 'interrupted');
  await expect(runs.button('Stop', 1)).toBeDisabled();

  await sidebar.getByRole('button', { name: 'Start engine' }).click();
  await runs.says(1, 'running');
  await runs.moves(1);
  expect(await runs.progress(1)).toBeGreaterThanOrEqual(before);
  await cancelAll(page, 'killed');

  await runs.says(1, 'stopped');
  await sidebar.getByRole('button', { name: /Shut down/ }).click();
  await expect(sidebar).toContainText('not running');
});
