import { ServerConnection } from '@jupyterlab/services';
import { nullTranslator } from '@jupyterlab/translation';
import {
  act,
  configure,
  fireEvent,
  render,
  screen,
  within
} from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import * as React from 'react';

import {
  fakeActions,
  fakeDetail,
  fakeRace,
  fakeRun,
  FakeService
} from '../../__tests__/fakeService';
import { IRun } from '../../tokens';
import { IRunTableProps, RunTable } from '../RunTable';

// Asking for the styles of every node makes queries by role ten times slower.
configure({ defaultHidden: true });

const trans = nullTranslator.load('rapidfire_lab');

/** One run of each kind. */
const RUNS = [
  fakeRun({ run_id: 1, loss: 0.3, knobs: { 'train.optimizer.args.lr': 0.1 } }),
  fakeRun({ run_id: 2, loss: 0.1, status: 'queued', parent: 1 }),
  fakeRun({ run_id: 3, loss: 0.2, status: 'stopped' }),
  fakeRun({
    run_id: 4,
    loss: null,
    status: 'failed',
    error: 'RuntimeError: CUDA out of memory'
  }),
  fakeRun({ run_id: 5, loss: 0.4, status: 'completed', progress: 1 })
];

function show(
  options: Partial<IRunTableProps> = {},
  runs: readonly IRun[] = RUNS
) {
  const service = new FakeService();
  service.model.update({ runs });
  const props: IRunTableProps = {
    service,
    model: service.model,
    actions: fakeActions(),
    trans,
    variant: 'wide',
    ...options
  };
  const view = render(<RunTable {...props} />);
  const { actions } = props;
  return {
    service,
    model: service.model,
    actions,
    view,
    user: userEvent.setup()
  };
}

const button = (name: string | RegExp) => screen.getByRole('button', { name });
const box = (name: string) => screen.getByRole('checkbox', { name });
const isOff = (node: HTMLElement) => node.getAttribute('aria-disabled');

/** Run ids as the table has them. */
const order = () =>
  screen.getAllByRole('rowheader').map(header => header.textContent);

describe('the run table', () => {
  it('has a row for each run, called by its id', () => {
    show();
    expect(screen.getByRole('table', { name: 'Runs' })).toBeTruthy();
    const header = screen.getByRole('rowheader', { name: '2' });
    expect(header.title).toBe('Cloned from run 1');
    expect(header.textContent).toBe('2← 1');
  });

  it('says in words what ended a run', () => {
    const ended = { ended: 1_700_000_100, status: 'stopped' } as const;
    const done = { ended: 1_700_000_100, status: 'completed' } as const;
    show({}, [
      fakeRun({ run_id: 1, ...ended, ended_by: 'user' }),
      fakeRun({ run_id: 2, ...ended, ended_by: 'policy' }),
      fakeRun({ run_id: 3, ...ended, ended_by: 'a newer word' }),
      fakeRun({ run_id: 4, ...done, ended_by: 'epochs' }),
      fakeRun({ run_id: 5, ...done, ended_by: 'converged' })
    ]);
    const words = screen.getAllByText(/^(stopped|completed)$/);
    expect(words.map(word => word.parentElement?.title)).toEqual([
      'Can be resumed where it stopped (stopped by the user)',
      'Can be resumed where it stopped (stopped by a policy)',
      'Can be resumed where it stopped (a newer word)',
      'Has trained all its epochs',
      'Is done before its last epoch (converged)'
    ]);
  });

  it('says in one line what there is', () => {
    show();
    expect(screen.getByRole('status').textContent).toBe(
      '5 runs: 1 running, 1 queued, 1 stopped, 1 failed, 1 completed'
    );
  });

  it('has words for pictures and bars', () => {
    show();
    const bar = screen.getByRole('progressbar', { name: 'Progress of run 1' });
    expect(bar.getAttribute('aria-valuenow')).toBe('25');
    expect(bar.getAttribute('aria-valuetext')).toBe(
      '25 %, epoch 3/10, 3:45 left'
    );
    expect(screen.getAllByTitle('epoch 3/10')[0].textContent).toBe('3/10');
    expect(
      screen.getByRole('img', {
        name: 'val_loss of run 1: from 0.9 to 0.4, lowest 0.4, highest 0.9'
      })
    ).toBeTruthy();
  });

  it('tells the course of minibatches from that of the key metric', () => {
    show({ state: { sort: { column: 'metric', descending: false } } }, [
      fakeRun({ run_id: 1, metrics: {}, trend: [0.5, 0.1] }),
      fakeRun({ run_id: 2, metrics: { val_loss: 0.9 }, trend: [0.9] })
    ]);
    const picture = screen.getByRole('img', {
      name: 'minibatch_loss of run 1: from 0.5 to 0.1, lowest 0.1, highest 0.5'
    });
    expect(picture.classList).toContain('jp-mod-quiet');
    expect(picture.parentElement?.textContent).toMatch(/^–/);
    expect(order()).toEqual(['2', '1']);
  });

  it('says first what tells the runs shown apart', () => {
    const { model, view } = show(
      { variant: 'sidebar' },
      [0.1, 0.2].map((lr, index) =>
        fakeRun({
          run_id: index + 1,
          knobs: { 'train.batch_size': 32, 'train.optimizer.args.lr': lr }
        })
      )
    );
    act(() =>
      model.update({
        knobNames: ['train.batch_size', 'train.optimizer.args.lr']
      })
    );
    const texts = view.container.querySelectorAll('.jp-rf-RunName-knobs');
    expect(Array.from(texts, node => node.textContent)).toEqual([
      'lr 0.1',
      'lr 0.2'
    ]);
  });

  it('points out a metric that is not finite', () => {
    show({}, [fakeRun({ metrics: { val_loss: null }, trend: [null] })]);
    expect(screen.getByText('NaN')).toBeTruthy();
    expect(
      screen.getByRole('img', { name: 'val_loss of run 1: no finite values' })
    ).toBeTruthy();
  });

  it('shows how far runs of a race are from the best, for eyes and ears', () => {
    const { model } = show();
    expect(screen.queryByText('To the best')).toBeNull();
    act(() => model.update({ races: [fakeRace()] }));
    screen.getByRole('columnheader', { name: /^To the best/ });
    const seen = screen.getByText('+0.100 [0.020, 0.180]');
    expect(seen.getAttribute('aria-hidden')).toBe('true');
    expect(seen.nextElementSibling?.textContent).toMatch(/credibly worse.$/);
    screen.getByText('best');
    fireEvent.click(screen.getByRole('button', { name: /^To the best/ }));
    expect(order().slice(0, 3)).toEqual(['2← 1', '1', '3']);
  });

  it('shows only some runs and their clones where it is told to', () => {
    show({ runIds: [1] });
    expect(order()).toEqual(['1', '2← 1']);
  });

  it('has the error in one line, with its whole text at hand', () => {
    show();
    expect(screen.getByText(/CUDA out of memory/).title).toBe(RUNS[3].error);
  });
});

describe('sorting', () => {
  it('is by a button in the header, and the other way round by one more press', async () => {
    const { user } = show();
    await user.click(button('Loss'));
    expect(order()).toEqual(['2← 1', '3', '1', '5', '4']);
    const header = screen.getByRole('columnheader', { name: 'Loss' });
    expect(header.getAttribute('aria-sort')).toBe('ascending');
    await user.keyboard('{Enter}');
    expect(order()).toEqual(['5', '1', '3', '2← 1', '4']);
    expect(header.getAttribute('aria-sort')).toBe('descending');
  });

  it('tells the owner, in words that JSON can hold', async () => {
    const onStateChange = jest.fn();
    const { user } = show({ onStateChange });
    await user.click(button('Loss'));
    const state = onStateChange.mock.calls[0][0];
    expect(state.sort).toEqual({ column: 'loss', descending: false });
    expect(JSON.parse(JSON.stringify(state))).toEqual(state);
  });

  it('forgives a state of columns that there are no more', () => {
    show({ state: { sort: { column: 'metric:gone', descending: false } } });
    expect(order()).toEqual(['1', '2← 1', '3', '4', '5']);
  });
});

describe('filters', () => {
  it('look through the runs, and can be cleared', async () => {
    const { user } = show();
    const search = screen.getByRole('searchbox', { name: 'Filter runs' });
    await user.type(search, 'memory');
    expect(order()).toEqual(['4']);
    await user.type(search, ' nowhere');
    expect(screen.getByText('No run matches the filter.')).toBeTruthy();
    await user.click(button('Clear filter'));
    expect(document.activeElement).toBe(search);
    expect(order()).toHaveLength(5);
  });

  it('choose statuses', async () => {
    const { user } = show();
    await user.click(button('Filter by status'));
    await user.click(
      screen.getByRole('menuitemcheckbox', { name: 'failed (1)' })
    );
    expect(order()).toEqual(['4']);
  });
});

describe('columns', () => {
  it('are chosen by keyboard, and the focus comes back', async () => {
    const { user } = show();
    button('Choose columns').focus();
    await user.keyboard('{Enter}');
    expect(screen.getByRole('menu', { name: 'Choose columns' })).toBeTruthy();
    await user.keyboard('{ArrowDown}{ArrowUp}{ArrowUp}{Home}{Enter}');
    expect(screen.queryByRole('columnheader', { name: 'Status' })).toBeNull();
    await user.keyboard('{Escape}');
    expect(screen.queryByRole('menu')).toBeNull();
    expect(document.activeElement).toBe(button('Choose columns'));
  });

  it('can be knobs, and be as they were', async () => {
    const { user } = show();
    await user.click(button('Choose columns'));
    await user.click(screen.getByRole('menuitemcheckbox', { name: 'lr' }));
    expect(screen.getByRole('columnheader', { name: 'lr' })).toBeTruthy();
    await user.click(
      screen.getByRole('menuitem', { name: 'Columns by default' })
    );
    expect(screen.queryByRole('columnheader', { name: 'lr' })).toBeNull();
  });

  it('choose the metric of the sparklines', () => {
    const { model } = show();
    const select = screen.getByRole('combobox', { name: 'Key metric' });
    fireEvent.change(select, { target: { value: 'top1_accuracy' } });
    expect(model.setMetric).toHaveBeenCalledWith('top1_accuracy');
    expect(
      screen.getByRole('columnheader', { name: 'top1_accuracy' })
    ).toBeTruthy();
  });

  it('stay few where there is little room', () => {
    show({ variant: 'sidebar' });
    const names = screen
      .getAllByRole('columnheader')
      .map(header => header.textContent);
    expect(names).toEqual(['Run', 'Progress', 'val_loss', 'Actions']);
  });
});

describe('selection', () => {
  it('takes a range, and all', async () => {
    const onSelect = jest.fn();
    const { user } = show({ onSelect });
    await user.click(box('Select run 2'));
    await user.keyboard('{Shift>}');
    await user.click(box('Select run 4'));
    await user.keyboard('{/Shift}');
    expect(onSelect).toHaveBeenLastCalledWith([2, 3, 4]);
    const all = box('Select all runs shown') as HTMLInputElement;
    expect(all.indeterminate).toBe(true);
    await user.click(all);
    expect(onSelect).toHaveBeenLastCalledWith([1, 2, 3, 4, 5]);
    await user.click(all);
    expect(onSelect).toHaveBeenLastCalledWith([]);
  });

  it('offers only what is legal for some of the runs', async () => {
    const { user, actions } = show();
    await user.click(box('Select all runs shown'));
    await user.click(button('Stop 2 runs'));
    expect(actions.stop).toHaveBeenCalledWith('flowers', RUNS.slice(0, 2));
    await user.click(button('Resume 2 runs'));
    expect(actions.resume).toHaveBeenCalledWith('flowers', RUNS.slice(2, 4));
    await user.click(button('Clear selection'));
    expect(screen.queryByRole('group', { name: 'Selected runs' })).toBeNull();
    await user.click(box('Select run 5'));
    expect(screen.queryByRole('button', { name: /^Stop 1/ })).toBeNull();
  });

  it('keeps the focus where its buttons go', async () => {
    const { user, model } = show({}, [RUNS[0]]);
    await user.click(box('Select run 1'));
    await user.click(button('Stop 1 run'));
    model.asked[1] = 'stop';
    act(() => model.update({}));
    expect(screen.queryByRole('button', { name: 'Stop 1 run' })).toBeNull();
    expect(document.activeElement).toBe(button('Clear selection'));
    await user.keyboard('{Enter}');
    expect(document.activeElement).toBe(box('Select all runs shown'));
  });

  it('does not count runs that a filter hides', async () => {
    const { user, actions } = show();
    await user.click(box('Select all runs shown'));
    await user.type(screen.getByRole('searchbox'), 'failed');
    await user.click(button('Delete 1 run'));
    expect(actions.delete).toHaveBeenCalledWith('flowers', [RUNS[3]]);
  });

  it('does not go on in another experiment', async () => {
    const { user, model } = show();
    await user.click(box('Select run 1'));
    act(() => model.update({ experiment: 'digits' }));
    expect((box('Select run 1') as HTMLInputElement).checked).toBe(false);
  });
});

describe('actions', () => {
  it('are there where they are legal', () => {
    show();
    const legal = (id: number) =>
      ['Stop', 'Resume', 'Clone', 'Delete'].filter(
        name => isOff(button(`${name} run ${id}`)) === 'false'
      );
    expect(legal(1)).toEqual(['Stop', 'Clone', 'Delete']);
    expect(legal(2)).toEqual(['Stop', 'Clone', 'Delete']);
    expect(legal(3)).toEqual(['Resume', 'Clone', 'Delete']);
    expect(legal(4)).toEqual(['Resume', 'Clone', 'Delete']);
    expect(legal(5)).toEqual(['Clone', 'Delete']);
  });

  it('work by keyboard alone', async () => {
    const { user, actions } = show({}, [RUNS[0]]);
    const stop = button('Stop run 1');
    for (let i = 0; i < 40 && document.activeElement !== stop; i++) {
      await user.tab();
    }
    await user.keyboard('{Enter}');
    expect(actions.stop).toHaveBeenCalledWith('flowers', [RUNS[0]]);
  });

  it('clone one run', async () => {
    const { user, actions } = show();
    await user.click(button('Clone run 3'));
    expect(actions.clone).toHaveBeenCalledWith('flowers', RUNS[2]);
  });

  it('say what is pending, keep the focus, and do nothing more', async () => {
    const { user, model, actions } = show();
    await user.click(button('Stop run 1'));
    model.asked[1] = 'stop';
    act(() => model.update({}));
    expect(screen.getByText('stopping…')).toBeTruthy();
    expect(document.activeElement).toBe(button('Stop run 1'));
    await user.keyboard('{Enter}');
    expect(actions.stop).toHaveBeenCalledTimes(1);
  });

  it('say why they cannot be asked for while the engine is away', async () => {
    const { user, service, actions } = show();
    act(() => service.update({ engine: 'not running' }));
    const stop = button('Stop run 1');
    expect(isOff(stop)).toBe('true');
    expect(stop.title).toMatch(/engine is not running/);
    await user.click(stop);
    expect(actions.stop).not.toHaveBeenCalled();
    expect(screen.getAllByText('interrupted')).toHaveLength(2);
  });

  it('are in a menu where there is little room', async () => {
    const { user, actions } = show({ variant: 'sidebar' });
    await user.click(button('Stop run 1'));
    expect(actions.stop).toHaveBeenCalled();
    button('More actions of run 1').focus();
    await user.keyboard('{ArrowDown}');
    const items = screen.getAllByRole('menuitem');
    expect(items.map(item => item.textContent)).toEqual([
      'Resume run 1',
      'Clone run 1',
      'Delete run 1'
    ]);
    await user.keyboard('{End}{Enter}');
    expect(actions.delete).toHaveBeenCalledWith('flowers', [RUNS[0]]);
    expect(document.activeElement).toBe(button('More actions of run 1'));
  });
});

describe('updates', () => {
  it('keep the focus in its row, wherever that goes', async () => {
    const { user, model } = show();
    await user.click(button('Loss'));
    button('Clone run 2').focus();
    act(() => model.replace({ ...RUNS[1], loss: 9 }));
    expect(order()).toEqual(['3', '1', '5', '2← 1', '4']);
    expect(document.activeElement).toBe(button('Clone run 2'));
  });

  it('move the focus to the next row when its own is deleted', () => {
    const { model } = show();
    button('Delete run 3').focus();
    act(() =>
      model.update({ runs: RUNS.filter(({ run_id }) => run_id !== 3) })
    );
    expect(screen.queryByRole('button', { name: 'Delete run 3' })).toBeNull();
    expect(document.activeElement).toBe(button('Delete run 4'));
  });

  it('leave the focus alone where it was outside', () => {
    const { model } = show();
    act(() => model.update({ runs: RUNS.slice(1) }));
    expect(document.activeElement).toBe(document.body);
  });

  it('let the arrows go from row to row', async () => {
    const { user } = show();
    button('Stop run 1').focus();
    await user.keyboard('{ArrowDown}{ArrowDown}');
    expect(document.activeElement).toBe(button('Stop run 3'));
    await user.keyboard('{ArrowUp}');
    expect(document.activeElement).toBe(button('Stop run 2'));
  });
});

describe('details', () => {
  it('show config, traceback and log of a run on demand', async () => {
    const { user, service } = show();
    service.run.mockResolvedValue(
      fakeDetail(RUNS[3], { traceback: 'Traceback: line 12' })
    );
    service.log.mockResolvedValue({
      text: 'epoch 1 done',
      offset: 0,
      next_offset: 12,
      size: 12
    });
    expect(service.run).not.toHaveBeenCalled();
    await user.click(button('Details of run 4'));
    expect(button('Details of run 4').getAttribute('aria-expanded')).toBe(
      'true'
    );
    const details = screen.getByRole('region', { name: 'Details of run 4' });
    expect(await within(details).findByText('Traceback: line 12')).toBeTruthy();
    const log = within(details).getByRole('region', { name: 'Log of run 4' });
    expect(log.textContent).toBe('epoch 1 done');
    const name = 'Traceback of run 4';
    const traceback = within(details).getByRole('region', { name });
    expect(traceback.textContent).toBe('Traceback: line 12');
    const knob = within(details).getByText('train.optimizer.args.lr');
    expect(knob.nextSibling?.textContent).toBe('0.01varies');
    await user.click(button('Details of run 4'));
    expect(screen.queryByRole('region')).toBeNull();
  });

  it.each([
    [true, 'Cloned from run 1 at step 120, going on from there'],
    [false, 'Cloned from run 1 at step 120, warm start']
  ])('tell how a clone began (%s)', async (goesOn, words) => {
    const run = fakeRun({
      run_id: 2,
      parent: 1,
      warm_start: true,
      status: 'stopped',
      ended: 1_700_000_100,
      ended_by: 'policy'
    });
    const { user, service } = show({}, [RUNS[0], run]);
    const place = { parent_step: 120, continue_position: goesOn };
    service.run.mockResolvedValue(fakeDetail(run, place));
    const header = screen.getByRole('rowheader', { name: '2' });
    expect(header.title).toBe('Cloned from run 1, warm start');
    await user.click(button('Details of run 2'));
    expect(await screen.findByText(words)).toBeTruthy();
    expect(screen.getByText(/\(stopped by a policy\)$/)).toBeTruthy();
  });

  it('mark what a clone changed', async () => {
    const { user, service } = show();
    const parent = fakeDetail(RUNS[0]);
    parent.config.user_knobs = { hidden: 32 };
    service.run.mockImplementation(async (_, id) =>
      id === 1 ? parent : fakeDetail(RUNS[1])
    );
    await user.click(button('Details of run 2'));
    expect(await screen.findByText('32 in run 1')).toBeTruthy();
    expect(screen.queryByText('varies')).toBeNull();
  });

  it('say what went wrong', async () => {
    const { user, service } = show();
    service.run.mockRejectedValue(new Error('There is no run 3.'));
    await user.click(button('Details of run 3'));
    expect(await screen.findByText('There is no run 3.')).toBeTruthy();
  });
});

describe('without runs or a server', () => {
  it('tells how to start', () => {
    const { model } = show({}, []);
    expect(
      screen.getByText('Experiment flowers has no runs yet.')
    ).toBeTruthy();
    act(() => model.update({ experiment: null }));
    expect(screen.getByText(/experiment.run_fit/)).toBeTruthy();
    act(() => model.update({ isReady: false }));
    expect(screen.getByText('Asking the server for runs…')).toBeTruthy();
  });

  it('explains problems', () => {
    const { model } = show({}, []);
    act(() => model.update({ problem: new Error('No such experiment.') }));
    expect(screen.getByText('No such experiment.')).toBeTruthy();
  });

  it('keeps the last numbers while it is offline', () => {
    const { service } = show();
    const lastSeen = new Date(2026, 1, 3, 12, 3).getTime();
    act(() => service.update({ connection: 'offline', lastSeen }));
    expect(screen.getByText(/^Offline, last seen .*03/)).toBeTruthy();
    expect(order()).toHaveLength(5);
    expect(isOff(button('Stop run 1'))).toBe('true');
  });

  it('says once why the server part is not available', () => {
    const { service } = show({}, []);
    const problem = new ServerConnection.NetworkError(new TypeError());
    act(() => service.update({ connection: 'unavailable', problem }));
    act(() => service.model.update({ isReady: false }));
    expect(
      screen.getAllByText('The Jupyter server cannot be reached.')
    ).toHaveLength(1);
  });
});
