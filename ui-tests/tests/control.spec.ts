import {
  cancelAll,
  expect,
  isBusy,
  Runs,
  startCell,
  test,
  train
} from '../lab';

test.describe('runs in a cell that is busy', () => {
  test('move, stop, resume, clone and delete', async ({ page }) => {
    const output = await startCell(page, 'control.ipynb', train('control'));
    const runs = new Runs(output);
    await runs.says(1, 'running');
    await isBusy(page);
    await runs.moves(1);
    await runs.moves(2);

    await runs.press('Stop', 1);
    await runs.says(1, 'stopped');

    await runs.press('Clone', 1);
    const same = page.getByRole('dialog', { name: 'Clone run 1' });
    await same.getByRole('switch', { name: 'Warm start' }).check();
    const goesOn = /^Continue at epoch \d+, after minibatch [1-9]\d*$/;
    await same.getByRole('switch', { name: goesOn }).check();
    await same.getByRole('button', { name: 'Make clone' }).click();
    await expect(same).toBeHidden();
    await runs.moves(3);
    await runs.press('Details of', 3);
    await expect(runs.table).toContainText(
      /Cloned from run 1 at step [1-9]\d*, going on from there/
    );
    await runs.press('Details of', 3);
    await runs.press('Resume', 1);
    await runs.says(1, 'running');

    await runs.press('Clone', 2);
    const dialog = page.getByRole('dialog', { name: 'Clone run 2' });
    await dialog
      .getByRole('combobox', { name: 'lr', exact: true })
      .fill('3e-4');
    await dialog.getByRole('switch', { name: 'Warm start' }).check();
    await expect(dialog).toContainText('0.0003');
    await dialog.getByRole('button', { name: 'Make clone' }).click();
    await expect(dialog).toBeHidden();
    await expect(runs.row(4)).toContainText('0.0003');
    await runs.says(4, 'running');

    await runs.press('Delete', 4);
    const question = page.getByRole('dialog', { name: /Delete run 4/ });
    await question.getByRole('button', { name: 'Delete' }).click();
    await expect(runs.row(4)).toBeHidden();
    await isBusy(page);
    await cancelAll(page, 'control');
    await runs.says(2, 'stopped');
  });

  test('can be stopped by keyboard alone', async ({ page }) => {
    const output = await startCell(page, 'keys.ipynb', train('keys'));
    const runs = new Runs(output);
    await runs.says(2, 'running');
    await page.keyboard.press('Escape');
    await runs.table.getByRole('button').first().focus();
    const stop = runs.button('Stop', 2);
    for (let presses = 0; presses < 200; presses += 1) {
      if (await stop.evaluate(button => button === document.activeElement)) {
        break;
      }
      await page.keyboard.press('Tab');
    }
    await expect(stop).toBeFocused();
    await page.keyboard.press('Enter');
    await runs.says(2, 'stopped');
    await cancelAll(page, 'keys');
  });

  test('say what is wrong with a clone, and lose nothing', async ({ page }) => {
    const output = await startCell(page, 'wrong.ipynb', train('wrong'));
    const runs = new Runs(output);
    await runs.says(1, 'running');
    await runs.press('Clone', 1);
    const dialog = page.getByRole('dialog', { name: 'Clone run 1' });
    const optimizer = dialog
      .getByRole('group', { name: 'Optimizer' })
      .getByRole('combobox', { name: 'name', exact: true });
    await optimizer.fill('AdamWat');
    await expect(dialog.getByRole('alert')).toContainText('AdamWat');
    await optimizer.fill('SGD');
    await expect(dialog.getByRole('alert')).toBeHidden();
    await page.keyboard.press('Escape');
    await expect(dialog).toBeHidden();
    await cancelAll(page, 'wrong');
  });
});
