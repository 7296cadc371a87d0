import {
  cancelAll,
  expect,
  openSidebar,
  reload,
  Runs,
  startCell,
  test,
  train
} from '../lab';

test('the palette shows the state of the engine', async ({ page }) => {
  await page.keyboard.press('Control+Shift+C');
  await page
    .getByRole('searchbox', { name: 'Command Palette Section' })
    .or(page.locator('.lm-CommandPalette-input'))
    .first()
    .fill('Show Engine Status');
  await page.keyboard.press('Enter');
  await expect(
    page
      .getByText(/The RapidFire Lab engine is (not running|idle|running)/)
      .first()
  ).toBeVisible();
});

test('the status bar and the running panel know what trains', async ({
  page
}) => {
  await startCell(page, 'status.ipynb', train('status'));
  const item = page.getByRole('button', { name: /2 runs are training/ });
  await expect(item).toBeVisible();
  await item.focus();
  await page.keyboard.press('Enter');
  const sidebar = page.getByRole('region', { name: 'RapidFire Lab' });
  await expect(sidebar).toBeVisible();
  const runs = new Runs(sidebar);
  await page.sidebar.openTab('jp-running-sessions');
  await expect(page.locator('#jp-running-sessions')).toContainText(
    'RapidFire Lab'
  );
  await openSidebar(page);
  await runs.press('Stop', 1);
  await runs.says(1, 'stopped');
  await runs.press('Stop', 2);
  await runs.says(2, 'stopped');
  await expect(item).toBeHidden();
  await cancelAll(page, 'status');
});

test('a finished run is announced', async ({ page }) => {
  await startCell(page, 'short.ipynb', train('short', 1));
  await expect(
    page
      .getByRole('alert')
      .filter({ hasText: /of short completed/ })
      .first()
  ).toBeVisible();
});

test('the sidebar comes back after a reload, in the dark theme too', async ({
  page
}) => {
  await page.theme.setDarkTheme();
  await openSidebar(page);
  await reload(page);
  await expect(
    page.getByRole('region', { name: 'RapidFire Lab' })
  ).toBeVisible();
});
