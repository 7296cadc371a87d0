import { Clipboard } from '@jupyterlab/apputils';
import { act, fireEvent, render, screen, within } from '@testing-library/react';
import * as React from 'react';

import { IEvent, IOperation } from '../../tokens';
import { EventLog } from '../EventLog';
import { FilesTab } from '../FilesTab';
import { KnobsTab } from '../KnobsTab';
import { OperationLog } from '../OperationLog';
import { fakeModel, fakeRun, fakeService, panelProps } from './dashboardFakes';

// jsdom lays nothing out: everything is in view here.
jest.mock('../useVisible', () => ({ useVisible: () => true }));

async function settle() {
  await act(() => new Promise<void>(resolve => setTimeout(resolve, 30)));
}

const EVENTS: IEvent[] = [
  { id: 4, time: 100, run_id: null, level: 'info', message: 'Started' },
  { id: 5, time: 200, run_id: 2, level: 'error', message: 'Out of memory' }
];

describe('the Experiment Log', () => {
  async function open() {
    const { model } = fakeModel();
    const service = fakeService(model);
    service.events.mockImplementation(async (_, query) => {
      if (query.after !== undefined) {
        return { items: [], more_before: true, more_after: false };
      }
      return query.before === undefined
        ? { items: EVENTS, more_before: true, more_after: false }
        : {
            items: [{ ...EVENTS[0], id: 1, message: 'Very first' }],
            more_before: false,
            more_after: true
          };
    });
    render(<EventLog {...panelProps(service, model)} />);
    await settle();
    return service;
  }

  it('has its newest line last, each with its level in words', async () => {
    await open();
    const log = screen.getByRole('log', { name: 'Experiment Log' });
    expect(log.textContent).toMatch(/info.*Started.*error.*Run 2.*memory/);
  });

  it('reads older lines on demand', async () => {
    const service = await open();
    fireEvent.click(screen.getByRole('button', { name: 'Load older' }));
    await settle();
    expect(service.events).toHaveBeenLastCalledWith('first', {
      before: 4,
      limit: 200
    });
    screen.getByText('Very first');
    expect(screen.queryByRole('button', { name: 'Load older' })).toBeNull();
  });

  it('can be narrowed to a run, and copied', async () => {
    const copy = jest
      .spyOn(Clipboard, 'copyToSystem')
      .mockImplementation(() => {});
    await open();
    fireEvent.change(screen.getByLabelText('Run'), { target: { value: '2' } });
    expect(screen.queryByText('Started')).toBeNull();
    fireEvent.click(screen.getByRole('button', { name: 'Copy' }));
    expect(copy).toHaveBeenCalledWith(
      '1970-01-01T00:03:20.000Z\terror\trun 2\tOut of memory'
    );
  });

  it('says when it is empty, or cannot be read', async () => {
    const { model } = fakeModel();
    const service = fakeService(model);
    const { unmount } = render(<EventLog {...panelProps(service, model)} />);
    await settle();
    screen.getByText('Nothing has happened yet');
    unmount();
    service.events.mockRejectedValue(new Error('away'));
    render(<EventLog {...panelProps(service, model)} />);
    await settle();
    screen.getByText('Not up to date: away');
  });
});

describe('the Control Ops Log', () => {
  const LINE: IOperation = {
    id: 1,
    time: 100,
    run_id: 1,
    step: 120,
    operation: 'clone',
    origin: 'policy halving',
    arguments: { changes: { epochs: 4 }, warm_start: true },
    result: 'run 3'
  };

  async function open(items: IOperation[]) {
    const { model } = fakeModel();
    const service = fakeService(model);
    service.operations.mockResolvedValue({
      items,
      more_before: false,
      more_after: false
    });
    render(<OperationLog {...panelProps(service, model)} />);
    await settle();
    return screen.getByRole('log', { name: 'Control Ops Log' });
  }

  it('tells what was asked, by whom, where, and what came of it', async () => {
    const own = { operation: 'stop', origin: 'user', arguments: {} };
    const log = await open([
      LINE,
      { ...LINE, ...own, id: 2, result: 'run 1' },
      { ...LINE, id: 3, step: null, origin: 'hyperband', arguments: {} }
    ]);
    const lines = [...log.querySelectorAll('.jp-rf-Log-line')];
    const [clone, stop, other] = lines.map(line => line.textContent);
    expect(clone).toMatch(
      /Clone.*Run 1.*at step 120→ run 3changes={"epochs":4} warm startby the policy halving$/
    );
    expect(stop).toMatch(/Stop.*Run 1at step 120by the user$/);
    expect(other).toMatch(/Clone.*Run 1.*run 3.*by hyperband$/);
    expect(other).not.toContain('step');
  });

  it('tells in words how a clone began', async () => {
    const options = { warm_start: true, continue_position: true };
    const log = await open([
      { ...LINE, arguments: { changes: {}, ...options } }
    ]);
    expect(log.textContent).toContain('warm start, going on from there');
    expect(log.textContent).not.toMatch(/changes|_/);
  });

  it('is copied exactly', async () => {
    const copy = jest
      .spyOn(Clipboard, 'copyToSystem')
      .mockImplementation(() => {});
    const options = { warm_start: true, continue_position: true };
    await open([
      { ...LINE, arguments: { lr: 0.1, ...options } },
      { ...LINE, id: 2, step: null, arguments: {} }
    ]);
    fireEvent.click(screen.getByRole('button', { name: /Copy/ }));
    const lines = `${copy.mock.lastCall?.[0]}`.split('\n');
    expect(lines.map(line => line.split('\t').slice(1))).toEqual([
      [
        'policy halving',
        'clone',
        'run 1',
        'step 120',
        'lr=0.1 warm_start=true continue_position=true',
        'run 3'
      ],
      ['policy halving', 'clone', 'run 1', '-', '', 'run 3']
    ]);
  });
});

describe('the files', () => {
  it('are listed newest first, and can be downloaded', async () => {
    const { model } = fakeModel();
    const service = fakeService(model);
    service.artifacts.mockResolvedValue([
      { path: 'a.json', kind: 'spec', run_id: null, size: 10, modified: 1 },
      {
        path: 'runs/1/latest.pt',
        kind: 'checkpoint',
        run_id: 1,
        size: 2048,
        modified: 2
      }
    ]);
    render(<FilesTab {...panelProps(service, model)} />);
    await settle();
    const rows = within(screen.getByRole('table')).getAllByRole('row');
    expect(rows[1].textContent).toMatch(/latest.pt.*Checkpoint.*1.*2.0 KiB/);
    const link = screen.getByRole('link', {
      name: 'Download runs/1/latest.pt'
    });
    expect(link.getAttribute('download')).toBe('latest.pt');
    expect(link.getAttribute('href')).toBe('/artifacts/first/runs/1/latest.pt');
  });

  it('may be none, or out of reach', async () => {
    const { model } = fakeModel();
    const service = fakeService(model);
    const { unmount } = render(<FilesTab {...panelProps(service, model)} />);
    await settle();
    screen.getByText('No files yet');
    unmount();
    service.artifacts.mockRejectedValue(new Error('away'));
    render(<FilesTab {...panelProps(service, model)} />);
    await settle();
    screen.getByText('away');
  });
});

describe('the knobs', () => {
  const { model } = fakeModel();
  const service = fakeService(model);

  it('are drawn against the key metric, and told in words', () => {
    const { container } = render(<KnobsTab {...panelProps(service, model)} />);
    screen.getByRole('img', {
      name: /2 runs against val_loss\. Best: run 1 with 0.1 \(lr 0.1/
    });
    expect(container.querySelectorAll('.jp-rf-Axis')).toHaveLength(3);
    screen.getByText('Best: run 1');
  });

  it('tell of the run that the pointer is on', () => {
    const { container } = render(<KnobsTab {...panelProps(service, model)} />);
    const [worst] = container.querySelectorAll('.jp-rf-Knobs-target');
    fireEvent.mouseEnter(worst);
    screen.getByText('Run 2');
    expect(container.querySelector('.jp-rf-mod-focus')).not.toBeNull();
    fireEvent.mouseLeave(container.querySelector('svg[role=img]')!);
    screen.getByText('Best: run 1');
  });

  it('can be looked at one by one', () => {
    const props = panelProps(service, model, { knobView: 'scatter' });
    const { container } = render(<KnobsTab {...props} />);
    expect(container.querySelectorAll('circle')).toHaveLength(2);
    fireEvent.change(screen.getByLabelText('Knob'), {
      target: { value: 'train.optimizer.name' }
    });
    expect(props.setState).toHaveBeenLastCalledWith({
      knob: 'train.optimizer.name'
    });
    fireEvent.change(screen.getByLabelText('View'), {
      target: { value: 'parallel' }
    });
    expect(props.setState).toHaveBeenLastCalledWith({ knobView: 'parallel' });
  });

  it('are there as a table too, best run first', () => {
    render(<KnobsTab {...panelProps(service, model)} />);
    fireEvent.click(screen.getByRole('button', { name: 'Show as table' }));
    const rows = screen.getAllByRole('row').map(row => row.textContent?.trim());
    expect(rows).toEqual([
      'Runlroptimizerval_loss',
      '10.1adam0.1',
      '20.01adam0.2'
    ]);
  });

  it.each([
    [{ runs: [fakeRun(1)] }, 'Nothing to compare yet'],
    [{ knobNames: [] }, 'No knob differs between the runs'],
    [
      {
        metricNames: [],
        runs: [1, 2].map(id => fakeRun(id, { loss: null, metrics: {} }))
      },
      'No metric yet'
    ]
  ])('say what is missing: %#', (more, text) => {
    const fake = fakeModel(more);
    render(<KnobsTab {...panelProps(service, fake.model)} />);
    screen.getByText(text);
  });

  it('say which runs have no value yet', () => {
    const runs = [fakeRun(1), fakeRun(2), fakeRun(3, { metrics: {} })];
    const fake = fakeModel({ runs });
    render(<KnobsTab {...panelProps(service, fake.model)} />);
    screen.getByText('1 run has no value of this metric yet.');
  });
});
