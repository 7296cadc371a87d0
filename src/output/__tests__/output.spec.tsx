import { JupyterFrontEnd } from '@jupyterlab/application';
import {
  MimeModel,
  RenderMimeRegistry,
  standardRendererFactories
} from '@jupyterlab/rendermime';
import { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import { Widget } from '@lumino/widgets';
import { act, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';

import {
  fakeActions,
  FakeRuns,
  fakeRun,
  FakeService
} from '../../__tests__/fakeService';
import { outputPlugin } from '../../plugins/output';
import { Connection } from '../../tokens';
import { RunsOutput } from '../runsOutput';
import { RUNS_MIME_TYPE } from '../runsReference';

const WIDGET = 'application/vnd.jupyter.widget-view+json';
const THREE = [1, 2, 3].map(run_id => fakeRun({ run_id }));
const HTML =
  '<table><caption>as of noon</caption></table><script>window.bad = 1</script>';

function bundle(
  options: ReadonlyPartialJSONObject = {},
  html = HTML
): ReadonlyPartialJSONObject {
  const reference = {
    experiment: 'flowers',
    run_ids: [1, 2],
    home_key: 'key',
    api_level: 2,
    ...options
  };
  return {
    [RUNS_MIME_TYPE]: reference,
    [WIDGET]: { model_id: 'a' },
    'text/html': html,
    'text/plain': 'run 1'
  };
}

function model(data: ReadonlyPartialJSONObject = bundle()): MimeModel {
  return new MimeModel({ data });
}

/**
 * A notebook's registry with the plugin, on a service that knows three runs.
 */
async function activate(
  connection: Connection = 'online',
  watch = () => new FakeRuns({ runs: THREE })
) {
  const service = new FakeService({ connection });
  service.watch.mockImplementation(watch);
  const actions = fakeActions();
  const rendermime = new RenderMimeRegistry({
    initialFactories: standardRendererFactories
  });
  await outputPlugin.activate(
    {} as JupyterFrontEnd,
    rendermime,
    service,
    actions,
    null
  );
  return { service, actions, rendermime };
}

/**
 * Show a bundle, as an output area does.
 */
async function show(rendermime: RenderMimeRegistry, data = bundle()) {
  const output = rendermime.createRenderer(RUNS_MIME_TYPE) as RunsOutput;
  await output.renderModel(model(data));
  await act(async () => Widget.attach(output, document.body));
  return output;
}

function handles(service: FakeService): FakeRuns[] {
  return service.watch.mock.results.map(({ value }) => value as FakeRuns);
}

const table = () => screen.findByRole('table', { name: 'Runs' });

describe('runs in notebooks', () => {
  const shown: Widget[] = [];

  beforeAll(() => {
    // jsdom has none, and ReactWidget wants it.
    window.requestIdleCallback ??= callback =>
      window.setTimeout(callback, 0, { didTimeout: false });
  });

  afterEach(async () => {
    await act(async () => shown.splice(0).forEach(output => output.dispose()));
  });

  it('are taken before widgets and static tables, in untrusted notebooks too', async () => {
    const { rendermime } = await activate();
    rendermime.addFactory(
      { safe: false, mimeTypes: [WIDGET], createRenderer: () => null as never },
      -10
    );
    for (const safe of ['ensure', 'prefer', 'any'] as const) {
      expect(rendermime.preferredMimeType(bundle(), safe)).toBe(RUNS_MIME_TYPE);
    }
  });

  it('are those that the output names, live', async () => {
    const { rendermime, service } = await activate();
    shown.push(await show(rendermime));
    const rows = within(await table()).getAllByRole('rowheader');
    expect(rows.map(row => row.textContent)).toEqual(['1', '2']);
    expect(service.watch).toHaveBeenCalledWith('flowers');
    const [runs] = handles(service);
    act(() => runs.replace(fakeRun({ run_id: 2, status: 'completed' })));
    expect(await screen.findByText('completed')).toBeTruthy();
  });

  it('are all runs where the output names none', async () => {
    const { rendermime } = await activate();
    shown.push(await show(rendermime, bundle({ run_ids: null })));
    expect(within(await table()).getAllByRole('rowheader')).toHaveLength(3);
  });

  it('keep view and focus when the kernel sends the same once more', async () => {
    const { rendermime, service } = await activate();
    const output = await show(rendermime);
    shown.push(output);
    const filter = await screen.findByRole('searchbox');
    await userEvent.type(filter, 'lr');
    await act(() => output.renderModel(model(bundle({}, '<p>later</p>'))));
    expect(screen.getByRole('searchbox')).toBe(filter);
    expect(document.activeElement).toBe(filter);
    expect((filter as HTMLInputElement).value).toBe('lr');
    expect(service.watch).toHaveBeenCalledTimes(1);
  });

  it('change with the experiment that the output names', async () => {
    const { rendermime, service } = await activate();
    const output = await show(rendermime);
    shown.push(output);
    await act(() => output.renderModel(model(bundle({ experiment: 'trees' }))));
    expect(service.watch).toHaveBeenLastCalledWith('trees');
    expect(handles(service).map(({ isDisposed }) => isDisposed)).toEqual([
      true,
      false
    ]);
  });

  it('are watched only while they are to be seen', async () => {
    const { rendermime, service } = await activate();
    const output = await show(rendermime);
    const disposed = () => handles(service).map(({ isDisposed }) => isDisposed);
    await table();
    await act(async () => output.hide());
    expect(disposed()).toEqual([true]);
    await act(async () => output.show());
    expect(disposed()).toEqual([true, false]);
    await act(async () => Widget.detach(output));
    expect(disposed()).toEqual([true, true]);
    await act(() => output.renderModel(model()));
    expect(service.watch).toHaveBeenCalledTimes(2);
    await act(async () => output.dispose());
    expect(disposed()).toEqual([true, true]);
  });

  it('stay in view until a new handle knows them', async () => {
    const { rendermime, service } = await activate();
    const output = await show(rendermime);
    shown.push(output);
    await table();
    service.watch.mockImplementationOnce(
      () => new FakeRuns({ isReady: false })
    );
    await act(async () => output.hide());
    await act(async () => output.show());
    expect(within(await table()).getAllByRole('rowheader')).toHaveLength(2);
    const [, blank] = handles(service);
    act(() => blank.update({ isReady: true, runs: [fakeRun()] }));
    await waitFor(() =>
      expect(screen.getAllByRole('rowheader')).toHaveLength(1)
    );
  });

  it('keep what the user made of the table while scrolled out of view', async () => {
    const { rendermime } = await activate();
    const output = await show(rendermime);
    shown.push(output);
    await userEvent.type(await screen.findByRole('searchbox'), 'lr');
    await act(async () => Widget.detach(output));
    await act(async () => Widget.attach(output, document.body));
    const filter = await screen.findByRole('searchbox');
    expect((filter as HTMLInputElement).value).toBe('lr');
  });

  it('lead to the dashboard', async () => {
    const { rendermime, actions } = await activate();
    shown.push(await show(rendermime));
    await userEvent.click(
      await screen.findByRole('button', { name: 'Open dashboard' })
    );
    expect(actions.openDashboard).toHaveBeenCalledWith('flowers');
  });

  it('offer to start the engine where it is missing', async () => {
    const { rendermime, actions, service } = await activate();
    shown.push(await show(rendermime));
    expect(await screen.findByText('Engine running')).toBeTruthy();
    expect(screen.queryByRole('button', { name: 'Start engine' })).toBeNull();
    act(() => service.update({ engine: 'not running' }));
    expect(screen.getByText('Engine not running')).toBeTruthy();
    await userEvent.click(screen.getByRole('button', { name: 'Start engine' }));
    expect(actions.startEngine).toHaveBeenCalled();
  });

  it('say nothing about the engine while the server is away', async () => {
    const { rendermime, service } = await activate();
    shown.push(await show(rendermime));
    await table();
    act(() => service.update({ connection: 'offline' }));
    expect(screen.queryByText('Engine running')).toBeNull();
    expect(await table()).toBeTruthy();
  });

  it('show the static table, sanitised, where they are of another home', async () => {
    const { rendermime } = await activate();
    const output = await show(rendermime, bundle({ home_key: 'theirs' }));
    shown.push(output);
    expect(
      await screen.findByText(/belong to another engine home/)
    ).toBeTruthy();
    expect(await screen.findByText('as of noon')).toBeTruthy();
    expect(screen.queryByRole('table', { name: 'Runs' })).toBeNull();
    expect(output.node.querySelector('script')).toBeNull();
    await act(() =>
      output.renderModel(
        model(bundle({ home_key: 'theirs' }, '<p>as of one</p>'))
      )
    );
    expect(await screen.findByText('as of one')).toBeTruthy();
    expect(screen.queryByText('as of noon')).toBeNull();
  });

  it('wait for the home with the static table, and ask for it once', async () => {
    const { rendermime, service } = await activate('offline');
    service.status.mockRejectedValueOnce(new Error('away'));
    shown.push(await show(rendermime));
    expect(await screen.findByText('as of noon')).toBeTruthy();
    expect(screen.getByText(/^Offline/)).toBeTruthy();
    await act(async () => service.update({ connection: 'online' }));
    expect(await table()).toBeTruthy();
    shown.push(await show(rendermime));
    await waitFor(() =>
      expect(screen.getAllByRole('table', { name: 'Runs' })).toHaveLength(2)
    );
    expect(service.status).toHaveBeenCalledTimes(2);
  });

  it('say that a newer release made them', async () => {
    const { rendermime } = await activate();
    shown.push(await show(rendermime, bundle({ api_level: 3 })));
    expect(await screen.findByText(/newer release/)).toBeTruthy();
  });

  it('say what is wrong with an experiment', async () => {
    const problem = new Error('There is no experiment flowers.');
    const { rendermime } = await activate(
      'online',
      () => new FakeRuns({ problem })
    );
    shown.push(await show(rendermime));
    expect(await screen.findByText(problem.message)).toBeTruthy();
    expect(await screen.findByText('as of noon')).toBeTruthy();
  });

  it('say that junk is junk', async () => {
    const { rendermime, service } = await activate();
    shown.push(await show(rendermime, { [RUNS_MIME_TYPE]: [1, { a: null }] }));
    expect(await screen.findByText(/does not say which runs/)).toBeTruthy();
    expect(service.watch).not.toHaveBeenCalled();
  });
});
