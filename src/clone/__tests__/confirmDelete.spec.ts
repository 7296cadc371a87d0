import { Dialog } from '@jupyterlab/apputils';
import { configure, screen } from '@testing-library/dom';
import userEvent from '@testing-library/user-event';

import { confirmDelete } from '../confirmDelete';
import { makeRun, trans } from './clone';

configure({ defaultHidden: true });

const user = userEvent.setup({ delay: null });
const done = makeRun({ status: 'completed' });

afterEach(() => {
  Dialog.flush();
});

async function ask(...runs: Parameters<typeof confirmDelete>[1]) {
  const answer = confirmDelete('digits', runs, trans);
  const dialog = await screen.findByRole('dialog');
  return { answer, text: dialog.ariaLabel };
}

describe('confirmDelete', () => {
  it('names the run and what is lost', async () => {
    const { answer, text } = await ask(done);
    expect(text).toBe(
      'Delete run 3 of digits? Its weights and checkpoints are lost for good; its log stays.'
    );
    await user.click(screen.getByRole('button', { name: 'Delete' }));
    expect(await answer).toBe(true);
  });

  it('lists several, and says which are stopped', async () => {
    const other = makeRun({ run_id: 5 });
    const { answer, text } = await ask(done, other);
    expect(text).toBe(
      'Delete 2 runs of digits? Runs 3, 5. Run 5 is still training and will be stopped. ' +
        'Their weights and checkpoints are lost for good; their logs stay.'
    );
    await user.click(screen.getByRole('button', { name: 'Delete 2 Runs' }));
    expect(await answer).toBe(true);
  });

  it('deletes nothing at Enter, which is on Cancel, nor at Escape', async () => {
    const first = await ask(done);
    expect(document.activeElement?.textContent).toBe('Cancel');
    await user.keyboard('{Enter}');
    expect(await first.answer).toBe(false);
    const second = await ask(done);
    await user.keyboard('{Escape}');
    expect(await second.answer).toBe(false);
  });

  it('asks nothing about no runs', async () => {
    expect(await confirmDelete('digits', [], trans)).toBe(false);
  });
});
