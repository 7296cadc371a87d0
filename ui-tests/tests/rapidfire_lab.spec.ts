import { expect, test } from '@jupyterlab/galata';

const TRAIN = `
import os, sys, tempfile
folder = os.environ["RAPIDFIRE_LAB_DIGITS"]
sys.path.insert(0, folder)
from pathlib import Path
from digits_data import write_digits
from rapidfire_lab import DataHandle, Experiment, GridSearch, List

data = Path(tempfile.mkdtemp())
write_digits(data)
handle = DataHandle({"train": data / "train.csv", "train_objects": data / "images"}, fraction=0.2)
group = GridSearch({
    "train": {"epochs": 2, "batch_size": 32, "optimizer": {"name": "AdamW", "args": {"lr": 0.003}}},
    "user_knobs": {"model": List(["mlp", "cnn"]), "width": 8, "dropout": 0.1},
})
experiment = Experiment(os.path.join(folder, "digits_spec.py"), experiment_name="journey")
experiment.run_fit(handle, group)
`;

test('the palette shows the state of the engine', async ({ page }) => {
  await page.keyboard.press('Control+Shift+C');
  await page
    .getByRole('searchbox', { name: 'Command Palette Section' })
    .or(page.locator('.lm-CommandPalette-input'))
    .first()
    .fill('Show Engine Status');
  await page.keyboard.press('Enter');
  await expect(
    page.getByText('The RapidFire Lab engine is not running.').first()
  ).toBeVisible();
});

test('a notebook cell trains two configs and shows them', async ({ page }) => {
  const errors: string[] = [];
  page.on('pageerror', error => errors.push(error.message));
  await page.notebook.createNew('journey.ipynb');
  await page.notebook.setCell(0, 'code', TRAIN);
  await page.notebook.runCell(0);
  const runs = page.getByRole('table', { name: 'Runs' });
  await expect(runs).toContainText('journey: 2 completed');
  await expect(runs.getByRole('row', { name: /^2 .*completed/ })).toContainText(
    'model=cnn'
  );
  expect(errors).toEqual([]);
});
