import {
  act,
  configure,
  fireEvent,
  screen,
  waitFor,
  within
} from '@testing-library/react';
import userEvent from '@testing-library/user-event';

import { CloneRefusedError } from '../../api';
import { fakeDetail } from '../../__tests__/fakeService';
import { IOperationAnswer, IRun } from '../../tokens';
import { showCloneDialog } from '../CloneDialog';
import { CHECK_DELAY } from '../cloneModel';
import { CloneService, makeRun, trans } from './clone';

// JupyterLab shows its <dialog> by a style sheet that jsdom does not have.
configure({ defaultHidden: true });

let fake: CloneService;
let result: Promise<IOperationAnswer | null>;
const user = userEvent.setup({ delay: null });

function open(run: IRun = makeRun(), siblings: IRun[] = []) {
  result = showCloneDialog(fake, 'digits', run, siblings, trans);
  result.catch(() => undefined);
}

async function openForm(run?: IRun, siblings?: IRun[]) {
  open(run, siblings);
  await screen.findByLabelText('lr');
}

const submitButton = () =>
  screen.getByRole('button', { name: /^Make .*clone/ });

const isBlocked = () => submitButton().getAttribute('aria-disabled') === 'true';

/** What stands against a clone, as the engine says it. */
function refusal(words: string) {
  return new CloneRefusedError(words);
}

async function retype(label: string, text: string) {
  const input = screen.getByLabelText(label);
  await user.clear(input);
  if (text) {
    await user.type(input, text);
  }
  return input;
}

/** What `user.selectOptions` does; it needs more of ranges than JupyterLab's mock has. */
function choose(knob: string, mode: string) {
  const select = screen.getByLabelText(`One or several values of ${knob}`);
  fireEvent.change(select, { target: { value: mode } });
}

const theSwitch = (name: string) => screen.getByRole('switch', { name });

/** What is read out with a control. */
function noteOf(label: string) {
  const id = screen.getByLabelText(label).getAttribute('aria-describedby');
  return document.getElementById(id ?? '')?.textContent;
}

const changes = () =>
  screen
    .queryAllByRole('listitem')
    .map(item => item.textContent?.replace(/\s+/g, ' '));

const pause = () =>
  act(() => new Promise(resolve => setTimeout(resolve, CHECK_DELAY + 50)));

beforeEach(() => {
  fake = new CloneService();
});

afterEach(() => {
  act(() => {
    screen.queryByRole('button', { name: /^(Cancel|Close)$/ })?.click();
  });
});

describe('the Clone-Modify dialog', () => {
  it('is named by its run, and starts at the learning rate', async () => {
    await openForm();
    const dialog = screen.getByRole('dialog');
    expect(dialog.getAttribute('aria-label')).toBe('Clone run 3');
    expect(document.activeElement).toBe(screen.getByLabelText('lr'));
    expect(fake.run).toHaveBeenCalledWith('digits', 3);
  });

  it('says that it loads, why it could not, and tries again', async () => {
    let fail: (error: Error) => void = () => undefined;
    fake.run.mockImplementationOnce(
      () => new Promise((_, reject) => (fail = reject))
    );
    open();
    await screen.findByText('Loading the config of run 3…');
    fail(new Error('There is no run 3.'));
    const alert = await screen.findByText('There is no run 3.');
    expect(alert).toBeTruthy();
    await user.click(screen.getByRole('button', { name: 'Try again' }));
    await screen.findByLabelText('lr');
  });

  it('has a label for every field, in sections', async () => {
    await openForm();
    const controls = document.querySelectorAll<HTMLInputElement>(
      '.jp-rf-CloneForm input, .jp-rf-CloneForm select'
    );
    expect(controls.length).toBeGreaterThan(20);
    for (const control of controls) {
      expect(
        control.labels?.length || control.hasAttribute('aria-label')
      ).toBeTruthy();
    }
    for (const name of ['Optimizer', 'Training', 'Your knobs', 'head']) {
      expect(screen.getByRole('group', { name })).toBeTruthy();
    }
  });

  it('cannot be submitted before anything is changed, and says so', async () => {
    await openForm();
    expect(isBlocked()).toBe(true);
    expect(screen.getByText(/Nothing is changed yet/)).toBeTruthy();
    await user.keyboard('{Enter}');
    expect(fake.operate).not.toHaveBeenCalled();
  });

  it('shows the diff against the parent, and reverts', async () => {
    await openForm();
    await retype('lr', '3e-4');
    await user.click(screen.getByLabelText('augment'));
    expect(changes()).toEqual(['lr 0.001 → 0.0003', 'augment true → false']);
    await user.click(screen.getByRole('button', { name: 'Revert lr' }));
    expect(changes()).toEqual(['augment true → false']);
    expect(screen.getByLabelText('lr')).toHaveProperty('value', '0.001');
    expect(document.activeElement).toBe(screen.getByLabelText('lr'));
  });

  it('says at the field what it expects, and does not submit', async () => {
    await openForm();
    const input = await retype('batch_size', '1.5');
    expect(input.getAttribute('aria-invalid')).toBe('true');
    const note = document.getElementById(
      input.getAttribute('aria-describedby') ?? ''
    );
    expect(note?.textContent).toBe('Write a whole number such as 32.');
    screen.getByLabelText('lr').focus();
    await user.keyboard('{Enter}');
    expect(fake.operate).not.toHaveBeenCalled();
    expect(document.activeElement).toBe(input);
    await user.click(screen.getByLabelText('lr'));
    await user.click(screen.getByRole('button', { name: 'Go to batch_size' }));
    expect(document.activeElement).toBe(input);
  });

  it('submits with Enter and gives what was made', async () => {
    await openForm();
    await retype('lr', '3e-4{Enter}');
    expect(await result).toEqual({ operation_ids: [1], run_ids: [4] });
    expect(fake.operate.mock.calls).toEqual([
      [
        'digits',
        {
          operation: 'clone',
          run_ids: [3],
          changes: { train: { optimizer: { args: { lr: 0.0003 } } } }
        }
      ]
    ]);
    expect(screen.queryByRole('dialog')).toBeNull();
  });

  it('counts the clones of lists', async () => {
    await openForm();
    choose('width', 'list');
    await retype('width', '32, 64, 128');
    choose('precision', 'list');
    await user.click(screen.getByLabelText('bf16'));
    expect(submitButton().textContent).toBe('Make 6 clones');
    expect(changes()).toEqual([
      'width 16 → [32, 64, 128]',
      'precision fp32 → [fp32, bf16]'
    ]);
  });

  it('asks how many clones to draw from a range', async () => {
    await openForm();
    expect(screen.queryByLabelText('Clones to draw')).toBeNull();
    choose('lr', 'range');
    expect(screen.getByLabelText('Start of lr')).toHaveProperty(
      'value',
      '0.0001'
    );
    await retype('Clones to draw', '8');
    await user.click(submitButton());
    await result;
    expect(fake.operate.mock.calls[0][1]).toMatchObject({ num_runs: 8 });
  });

  it('adds and removes knobs, with keys alone', async () => {
    await openForm();
    screen.getByRole('button', { name: 'Add a knob' }).focus();
    await user.keyboard('{Enter}');
    await user.keyboard('width');
    await user.type(screen.getByLabelText('Value as JSON'), 'eight{Enter}');
    expect(screen.getByText('There is a knob width already.')).toBeTruthy();
    await retype('Name', 'heads{Enter}');
    expect(screen.getByText(/Write JSON/)).toBeTruthy();
    await retype('Value as JSON', '8{Enter}');
    expect(changes()).toEqual(['heads – → 8']);
    expect(document.activeElement?.textContent).toBe('Add a knob');
    await user.keyboard('{Enter}{Escape}');
    expect(screen.getByLabelText('heads')).toBeTruthy();
    await user.click(screen.getByRole('button', { name: 'Remove heads' }));
    expect(screen.queryByLabelText('heads')).toBeNull();
    expect(fake.operate).not.toHaveBeenCalled();
  });

  it('adds what was typed also when the next click submits', async () => {
    await openForm();
    await retype('lr', '0.1');
    const section = screen.getByRole('group', { name: 'Optimizer' });
    await user.click(
      within(section).getByRole('button', { name: 'Add an argument' })
    );
    await user.type(screen.getByLabelText('Name'), 'eps');
    await user.type(screen.getByLabelText('Value as JSON'), '1e-7');
    await user.click(submitButton());
    await result;
    expect(fake.operate.mock.calls[0][1].changes).toEqual({
      train: { optimizer: { args: { lr: 0.1, eps: 1e-7 } } }
    });
  });

  it('draws from the range that was entered', async () => {
    await openForm();
    choose('dropout', 'range');
    await user.type(screen.getByLabelText('Start of dropout'), '2');
    const end = screen.getByLabelText('End of dropout');
    await user.type(end, '1');
    expect(end.getAttribute('aria-invalid')).toBe('true');
    screen.getByText('The start has to be below the end.');
    await user.type(end, '6');
    const row = within(end.closest<HTMLElement>('.jp-rf-Knob')!);
    await user.click(row.getByLabelText('log'));
    await user.click(row.getByLabelText('whole'));
    expect(changes()).toEqual(['dropout 0 → 2 … 16, log']);
    expect(submitButton().textContent).toBe('Make 4 clones');
  });

  it('gives long JSON several lines, where Enter is a new one', async () => {
    const layers = Array.from({ length: 30 }, (_, index) => index);
    fake.config = { ...fake.config, user_knobs: { layers } };
    await openForm();
    const input = screen.getByLabelText('layers');
    expect(input.localName).toBe('textarea');
    await user.type(input, '{Enter}x');
    screen.getByText('Write JSON: 0.5, true, null, "text" or [1, 2].');
    expect(fake.operate).not.toHaveBeenCalled();
  });

  it('follows the name of the optimizer', async () => {
    await openForm();
    const section = screen.getByRole('group', { name: 'Optimizer' });
    const name = within(section).getByLabelText('name');
    await user.clear(name);
    expect(name.getAttribute('aria-invalid')).toBe('true');
    await user.type(name, 'SGD');
    expect(within(section).queryByLabelText('betas')).toBeNull();
    expect(within(section).getByText('Left out: betas.')).toBeTruthy();
    expect(changes()).toEqual(['optimizer AdamW → SGD']);
  });

  it('suggests the values of other runs and the names of torch', async () => {
    const knobs = { 'train.optimizer.args.lr': 0.05 };
    await openForm(undefined, [makeRun({ run_id: 4, knobs })]);
    const offered = (label: HTMLElement) =>
      [...((label as HTMLInputElement).list?.options ?? [])].map(o => o.value);
    expect(offered(screen.getByLabelText('lr'))).toEqual(['0.05']);
    const section = screen.getByRole('group', { name: 'Optimizer' });
    expect(offered(within(section).getByLabelText('name'))).toContain('SGD');
  });

  it('shows what the server hides, read-only', async () => {
    await openForm();
    for (const label of ['api_key', 'url', 'token']) {
      expect(screen.getByLabelText(label)).toHaveProperty('readOnly', true);
    }
    await retype('lr', '0.1{Enter}');
    await result;
    expect(JSON.stringify(fake.operate.mock.calls)).not.toContain('***');
  });
});

describe('a warm start', () => {
  it('is asked for by a switch', async () => {
    fake.parent = { status: 'stopped' };
    await openForm();
    await user.click(theSwitch('Warm start'));
    expect(noteOf('Warm start')).toBe(
      'The clone starts from the weights of run 3, after 120 minibatches.'
    );
    await retype('lr', '0.1{Enter}');
    await result;
    expect(fake.operate.mock.calls[0][1]).toMatchObject({ warm_start: true });
  });

  it('needs a parent that has trained', async () => {
    fake.parent = { step: 0 };
    await openForm();
    expect(theSwitch('Warm start')).toHaveProperty('disabled', true);
    expect(noteOf('Warm start')).toMatch(/run 3 has no saved weights/);
  });

  it('begins with what a failed run had saved', async () => {
    const failed = fakeDetail(makeRun({ status: 'failed', step: 120 }), {
      config: fake.config,
      committed_step: 100
    });
    fake.run.mockResolvedValue(failed);
    await openForm();
    await user.click(theSwitch('Warm start'));
    expect(noteOf('Warm start')).toMatch(/after 100 minibatches/);
    theSwitch('Continue at epoch 3, after minibatch 100');
  });

  it('is enough of a change', async () => {
    await openForm();
    await user.click(theSwitch('Warm start'));
    expect(isBlocked()).toBe(false);
    screen.getByText('No knob is changed: the config is that of the parent.');
    await screen.findByText('Checked: this makes 1 clone.');
    await user.click(submitButton());
    await result;
    const request = {
      operation: 'clone',
      run_ids: [3],
      changes: {},
      warm_start: true
    };
    expect(fake.checkClone.mock.calls).toEqual([['digits', request]]);
    expect(fake.operate.mock.calls).toEqual([['digits', request]]);
  });
});

describe('going on where the parent stands', () => {
  const NAME = 'Continue at epoch 3, after minibatch 120';

  async function openWarm(parent: Partial<IRun> = {}) {
    fake.parent = { status: 'stopped', ...parent };
    await openForm();
    await user.click(theSwitch('Warm start'));
  }

  it('is a switch below that of the warm start, for keys too', async () => {
    await openWarm();
    const goesOn = theSwitch(NAME);
    expect(goesOn).toHaveProperty('checked', false);
    expect(noteOf(NAME)).toMatch(/begins at its own first epoch/);
    const warm = theSwitch('Warm start');
    expect(warm.compareDocumentPosition(goesOn)).toBe(
      Node.DOCUMENT_POSITION_FOLLOWING
    );
    goesOn.focus();
    await user.keyboard(' ');
    expect(goesOn).toHaveProperty('checked', true);
    expect(noteOf(NAME)).toMatch(/minibatches that run 3 would have trained/);
    await user.click(submitButton());
    await result;
    expect(fake.operate.mock.calls[0][1]).toMatchObject({
      changes: {},
      warm_start: true,
      continue_position: true
    });
  });

  it('goes with the warm start', async () => {
    await openWarm();
    await user.click(theSwitch(NAME));
    await user.click(theSwitch('Warm start'));
    expect(screen.queryByRole('switch', { name: NAME })).toBeNull();
    await retype('lr', '0.1{Enter}');
    await result;
    const [[, request]] = fake.operate.mock.calls;
    expect(request).not.toHaveProperty('warm_start');
    expect(request).not.toHaveProperty('continue_position');
  });

  it('says of a run that trains that it moves', async () => {
    await openWarm({ status: 'running' });
    expect(noteOf('Warm start')).toMatch(/has trained 120 minibatches by now/);
    await user.click(theSwitch('Continue where run 3 stands'));
    expect(noteOf('Continue where run 3 stands')).toBe(
      'The clone goes on at the last commit of run 3: now in epoch 3, near minibatch 120.'
    );
  });

  it.each([
    ['batch_size', 'train.batch_size', '32 in run 3 and 64'],
    [
      'gradient_accumulation_steps',
      'train.gradient_accumulation_steps',
      '1 in run 3 and 64'
    ],
    ['named_metrics', 'named_metrics', "['top1_accuracy'] in run 3 and ['64']"]
  ])('has a refusal of another %s at its field', async (label, id, values) => {
    const words = `'${id}' is ${values} in the clone, which can then not go on.`;
    fake.checkClone.mockRejectedValue(refusal(words));
    await openWarm();
    await user.click(theSwitch(NAME));
    const input = await retype(label, '64');
    await pause();
    expect(noteOf(label)).toBe(words);
    expect(input.getAttribute('aria-invalid')).toBe('true');
    expect(isBlocked()).toBe(true);
  });

  it('needs more epochs than a run that has trained them all', async () => {
    const words =
      '\'train.epochs\' is 5 in the clone, and run 3 has completed 5: give it more to go on, as in {"epochs": 6}.';
    fake.checkClone.mockRejectedValueOnce(refusal(words));
    await openWarm({ status: 'completed', completed_epochs: 5, step: 500 });
    const name = 'Continue at epoch 6, after minibatch 500';
    expect(noteOf(name)).toBe(
      'Run 3 has trained all its 5 epochs: to go on, the clone needs more epochs.'
    );
    await user.click(theSwitch(name));
    await pause();
    expect(noteOf('epochs')).toBe(words);
    expect(isBlocked()).toBe(true);
    await user.click(screen.getByRole('button', { name: 'Go to epochs' }));
    expect(document.activeElement).toBe(screen.getByLabelText('epochs'));
    await retype('epochs', '8');
    await screen.findByText('Checked: this makes 1 clone.');
  });
});

describe('the engine', () => {
  it('is asked once the typing pauses', async () => {
    await openForm();
    await retype('lr', '0.05');
    expect(fake.checkClone).not.toHaveBeenCalled();
    await screen.findByText('Checked: this makes 1 clone.');
    expect(fake.checkClone).toHaveBeenCalledTimes(1);
    expect(fake.checkClone.mock.calls[0][1]).toMatchObject({
      changes: { train: { optimizer: { args: { lr: 0.05 } } } }
    });
  });

  it('has its refusal shown at the field, until the next entry', async () => {
    const words = "'train.optimizer.args.lr' must be 0 or more";
    fake.checkClone.mockRejectedValue(new Error(words));
    await openForm();
    const input = await retype('lr', '-1');
    await pause();
    expect(screen.getByRole('alert').textContent).toContain(words);
    expect(input.getAttribute('aria-invalid')).toBe('true');
    await user.type(input, '0');
    expect(screen.getByRole('alert').textContent).toBe('');
    expect(input.getAttribute('aria-invalid')).toBeNull();
  });

  it('keeps what it knows to be wrong from being sent, and leads to it', async () => {
    const words = "'train.optimizer.args' is not for AdamW: Invalid value";
    fake.checkClone.mockRejectedValue(refusal(words));
    await openForm();
    const input = await retype('lr', '-1');
    await pause();
    expect(input.getAttribute('aria-invalid')).toBe('true');
    expect(isBlocked()).toBe(true);
    await user.click(submitButton());
    expect(fake.operate).not.toHaveBeenCalled();
    expect(document.activeElement).toBe(input);
    await user.type(input, '0');
    expect(isBlocked()).toBe(false);
  });

  it('says only what is to be corrected while nothing else is changed', async () => {
    await openForm();
    await retype('lr', 'fast');
    expect(isBlocked()).toBe(true);
    expect(screen.getByText('To correct:', { exact: false })).toBeTruthy();
    expect(screen.queryByText(/Nothing is changed yet/)).toBeNull();
  });

  it('leaves the focus on the button that it refused', async () => {
    fake.operate.mockRejectedValueOnce(refusal('The experiment has ended.'));
    await openForm();
    await retype('lr', '0.5');
    await user.click(submitButton());
    await screen.findByText('The experiment has ended.');
    expect(document.activeElement).toBe(submitButton());
    expect(isBlocked()).toBe(false);
  });

  it('may answer late: what is no longer asked is dropped', async () => {
    let refuse: (error: Error) => void = () => undefined;
    fake.checkClone.mockImplementationOnce(
      () => new Promise((_, reject) => (refuse = reject))
    );
    await openForm();
    await retype('lr', '-1');
    await pause();
    await retype('lr', '0.1');
    await act(async () => refuse(new Error('too low')));
    expect(screen.queryByText('too low')).toBeNull();
    await screen.findByText('Checked: this makes 1 clone.');
  });

  it('may refuse a submission: everything typed stays', async () => {
    fake.operate.mockRejectedValueOnce(new Error('The experiment has ended.'));
    await openForm();
    await retype('lr', '0.5{Enter}');
    await waitFor(() =>
      expect(screen.getByRole('alert').textContent).toBe(
        'The experiment has ended.'
      )
    );
    expect(screen.getByLabelText('lr')).toHaveProperty('value', '0.5');
    await user.click(submitButton());
    expect(await result).toEqual({ operation_ids: [1], run_ids: [4] });
  });

  it('is asked only once, and its answer counts after the dialog', async () => {
    let answer: (value: IOperationAnswer) => void = () => undefined;
    fake.operate.mockImplementation(
      () => new Promise(resolve => (answer = resolve))
    );
    await openForm();
    await retype('lr', '0.5{Enter}{Enter}');
    await user.click(submitButton());
    expect(fake.operate).toHaveBeenCalledTimes(1);
    expect(isBlocked()).toBe(true);
    await user.click(screen.getByRole('button', { name: 'Close' }));
    expect(screen.queryByRole('dialog')).toBeNull();
    answer({ operation_ids: [2], run_ids: [9] });
    expect(await result).toEqual({ operation_ids: [2], run_ids: [9] });
  });

  it('can be started from the dialog', async () => {
    fake.setEngine('not running');
    await openForm();
    await retype('lr', '0.5');
    await pause();
    expect(fake.checkClone).not.toHaveBeenCalled();
    expect(screen.getByText(/The engine is not running/)).toBeTruthy();
    await user.click(screen.getByRole('button', { name: 'Start the engine' }));
    await screen.findByText('Checked: this makes 1 clone.');
    expect(screen.queryByText(/The engine is not running/)).toBeNull();
    expect(screen.getByLabelText('lr')).toHaveProperty('value', '0.5');
  });
});

describe('leaving the dialog', () => {
  it('is done with Escape or Cancel, and asks for nothing', async () => {
    await openForm();
    await retype('lr', '0.5');
    await user.keyboard('{Escape}');
    expect(await result).toBeNull();
    await openForm();
    await user.click(screen.getByRole('button', { name: 'Cancel' }));
    expect(await result).toBeNull();
    await pause();
    expect(fake.operate).not.toHaveBeenCalled();
    expect(fake.checkClone).not.toHaveBeenCalled();
  });

  it('is not done by a click beside it', async () => {
    await openForm();
    fireEvent.click(screen.getByRole('dialog'));
    expect(screen.getByLabelText('lr')).toBeTruthy();
  });

  it('takes a key: Tab goes round within the dialog', async () => {
    await openForm();
    await retype('lr', '0.5');
    submitButton().focus();
    await user.tab();
    const first = document.activeElement;
    expect(screen.getByRole('dialog').contains(first)).toBe(true);
    await user.tab({ shift: true });
    expect(document.activeElement).toBe(submitButton());
  });
});
