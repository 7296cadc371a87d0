import { nullTranslator } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';
import { act, fireEvent, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';

import {
  fakeActions,
  fakeExperiment,
  fakeRun,
  FakeRuns,
  FakeService
} from '../../__tests__/fakeService';
import { SidebarWidget } from '../Sidebar';

const trans = nullTranslator.load('rapidfire_lab');
const EXPERIMENTS = [
  fakeExperiment({ name: 'new', status: 'ended' }),
  fakeExperiment({ name: 'flowers' })
];

let widget: SidebarWidget;

async function show(options: Partial<SidebarWidget.IOptions> = {}) {
  const service = new FakeService({ experiments: EXPERIMENTS });
  service.model.update({ runs: [fakeRun()] });
  const actions = fakeActions();
  widget = new SidebarWidget({ service, actions, trans, ...options });
  await act(async () => {
    Widget.attach(widget, document.body);
    await widget.renderPromise;
  });
  return { service, actions, user: userEvent.setup() };
}

const button = (name: string) => screen.getByRole('button', { name });

describe('the sidebar', () => {
  beforeAll(() => {
    // Lumino draws the widget outside of what act() knows of, as in the page.
    Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true });
  });

  afterEach(() => {
    act(() => widget.dispose());
  });

  it('has the engine with the button that fits', async () => {
    const { service, actions, user } = await show();
    expect(screen.getByText('Engine running')).toBeTruthy();
    await user.click(button('Shut down engine'));
    expect(actions.stopEngine).toHaveBeenCalled();
    act(() => service.update({ engine: 'not running' }));
    await user.click(button('Start engine'));
    expect(actions.startEngine).toHaveBeenCalled();
  });

  it('leaves the engine alone while it is offline', async () => {
    const { service, actions, user } = await show();
    act(() => service.update({ connection: 'offline' }));
    await user.click(button('Shut down engine'));
    expect(actions.stopEngine).not.toHaveBeenCalled();
  });

  it('has live experiments first, and watches the one that is chosen', async () => {
    const onStateChange = jest.fn();
    const { service } = await show({ onStateChange });
    const picker = screen.getByRole('combobox', { name: 'Experiment' });
    const names = Array.from(picker.querySelectorAll('option'));
    expect(names.map(({ textContent }) => textContent)).toEqual([
      'Newest: flowers',
      'flowers (live, 3 runs)',
      'new (ended, 3 runs)'
    ]);
    expect(service.watch).toHaveBeenCalledWith(null);
    const followed = service.model;
    Object.assign(service, { model: new FakeRuns({ experiment: 'new' }) });
    await act(async () => {
      fireEvent.change(picker, { target: { value: 'new' } });
    });
    expect(service.watch).toHaveBeenLastCalledWith('new');
    expect(followed.isDisposed).toBe(true);
    expect(onStateChange).toHaveBeenCalledWith({ experiment: 'new' });
    expect(screen.getByText('Experiment new has no runs yet.')).toBeTruthy();
  });

  it('starts as it was left, even where the experiment has gone', async () => {
    const { service } = await show({ state: { experiment: 'gone' } });
    expect(service.watch).toHaveBeenCalledWith('gone');
    const picker = screen.getByRole('combobox', { name: 'Experiment' });
    expect((picker as HTMLSelectElement).value).toBe('gone');
  });

  it('opens the dashboard of what it shows', async () => {
    const { actions, user } = await show();
    await user.click(button('Open dashboard'));
    expect(actions.openDashboard).toHaveBeenCalledWith('flowers');
  });

  it('has notices of the engine until they are put away', async () => {
    const { service, user } = await show();
    act(() => service.model.update({ notices: ['MLflow is slow'] }));
    expect(screen.getByText('MLflow is slow')).toBeTruthy();
    await user.click(button('Dismiss'));
    expect(screen.queryByText('MLflow is slow')).toBeNull();
  });

  it('lets go of the runs when it is closed', async () => {
    const { service } = await show();
    act(() => widget.dispose());
    expect(service.model.isDisposed).toBe(true);
  });

  it('says so where it is broken, and tries again', async () => {
    const { service, user } = await show();
    const silent = jest.spyOn(console, 'error').mockImplementation();
    act(() => service.model.update({ runs: [null as never] }));
    expect(screen.getByRole('alert').textContent).toMatch('This view failed');
    act(() => service.model.update({ runs: [] }));
    await user.click(button('Try again'));
    expect(screen.queryByRole('alert')).toBeNull();
    silent.mockRestore();
  });
});
