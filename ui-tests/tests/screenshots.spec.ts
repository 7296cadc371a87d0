import type { IJupyterLabPageFixture } from '@jupyterlab/galata';
import { join } from 'path';

import { cancelAll, expect, notebook, openSidebar, Runs, test } from '../lab';

/** Where the README's pictures go: `make screenshots` sets it; otherwise they are the test's own. */
const FOLDER = process.env.SCREENSHOTS;

const CELLS = [
  `import os, sys
sys.path.insert(0, os.environ["RAPIDFIRE_LAB_JOURNEYS"])
from journey import DIGITS_SPEC, digits
from rapidfire_lab import Experiment, GridSearch, List`,
  `configs = GridSearch({
    "train": {
        "epochs": 40,
        "batch_size": 64,
        "optimizer": {"name": "AdamW", "args": {"lr": List([0.001, 0.003, 0.01])}},
    },
    "user_knobs": {"model": List(["mlp", "cnn"]), "width": 16, "dropout": 0.1},
    "named_metrics": ["top1_accuracy"],
})
experiment = Experiment(DIGITS_SPEC, "digits")
experiment.run_fit(digits(), configs)`
];

test('every view, light and dark', async ({ page, tmpPath }, info) => {
  test.slow();
  const picture = async (name: string) => {
    const theme = (await page.theme.getTheme()).includes('Dark')
      ? 'dark'
      : 'light';
    const path = join(FOLDER ?? info.outputDir, `${name}-${theme}.png`);
    await page.screenshot({ path, animations: 'disabled' });
  };
  await page.setViewportSize({ width: 1440, height: 900 });
  await page.contents.uploadContent(
    JSON.stringify(notebook(CELLS)),
    'text',
    `${tmpPath}/digits.ipynb`
  );
  await page.notebook.openByPath(`${tmpPath}/digits.ipynb`);
  await page.notebook.runCell(0);
  await page.notebook.selectCells(1);
  await page.keyboard.press('Control+Enter');
  const output = new Runs(page.locator('.jp-Notebook .jp-OutputArea').last());
  await output.says(6, 'running');
  await expect(output.row(6)).toContainText(/epoch [3-9]|[3-9]\/40/);

  await toggleSidebar(page);
  await picture('notebook');
  const sidebar = await openSidebar(page);
  await picture('sidebar');

  await output.press('Clone', 2);
  const dialog = page.getByRole('dialog', { name: 'Clone run 2' });
  await dialog.getByRole('combobox', { name: 'lr', exact: true }).fill('5e-4');
  await expect(dialog).toContainText('0.0005');
  await picture('clone');
  await dialog.getByRole('switch', { name: 'Warm start' }).check();
  await dialog.getByRole('button', { name: 'Make clone' }).click();
  await expect(dialog).toBeHidden();
  await output.says(7, 'running');

  await sidebar.getByRole('button', { name: /dashboard/i }).click();
  await showsCharts(page);
  await picture('dashboard');
  await page.getByRole('tab', { name: 'Knobs' }).click();
  await picture('knobs');
  await page.getByRole('tab', { name: 'Control Ops Log' }).click();
  await expect(page.getByRole('log')).toContainText('warm start');
  await page.getByRole('tab', { name: 'Charts' }).click();

  await page.theme.setDarkTheme();
  await showsCharts(page);
  await picture('dashboard');
  await page.getByRole('tab', { name: 'Knobs' }).click();
  await picture('knobs');
  await page.activity.activateTab('digits.ipynb');
  await picture('sidebar');
  await output.press('Clone', 3);
  await expect(page.getByRole('dialog', { name: 'Clone run 3' })).toBeVisible();
  await picture('clone');
  await page.keyboard.press('Escape');
  await toggleSidebar(page);
  await picture('notebook');
  await cancelAll(page, 'digits');
});

async function showsCharts(page: IJupyterLabPageFixture): Promise<void> {
  await expect(
    page.getByRole('img', { name: /val_loss/ }).first()
  ).toBeVisible();
  await expect(page.locator('.u-wrap canvas').first()).toBeVisible();
}

async function toggleSidebar(page: IJupyterLabPageFixture): Promise<void> {
  await page.evaluate(() =>
    window.jupyterapp.commands.execute('application:toggle-left-area')
  );
}
