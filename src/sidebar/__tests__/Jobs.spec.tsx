import { nullTranslator } from '@jupyterlab/translation';
import { act, render, screen } from '@testing-library/react';
import * as React from 'react';

import { FakeService } from '../../__tests__/fakeService';
import { Connection, IJob } from '../../tokens';
import { Jobs } from '../Jobs';

const trans = nullTranslator.load('rapidfire_lab');

function fakeJob(options: Partial<IJob>): IJob {
  return {
    job_id: 1,
    kind: 'test',
    run_id: 5,
    epoch: null,
    model_tag: null,
    rows: 100,
    status: 'completed',
    progress: 1,
    metrics: null,
    target: null,
    error: null,
    created: 1,
    started: 2,
    ended: 3,
    ...options
  };
}

async function show(jobs: IJob[], connection: Connection = 'online') {
  const service = new FakeService({ connection });
  service.jobs.mockResolvedValue(jobs);
  const jobsOf = (experiment: string) => (
    <Jobs service={service} experiment={experiment} trans={trans} />
  );
  const { rerender, unmount } = render(jobsOf('flowers'));
  await act(() => jest.advanceTimersByTimeAsync(0));
  return { service, unmount, choose: (name: string) => rerender(jobsOf(name)) };
}

const lines = () =>
  screen.queryAllByRole('listitem').map(({ textContent }) => textContent);

describe('tests and predictions in the sidebar', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  it('have their results, however they ended', async () => {
    const metrics = { loss: 0.123456, f1: null };
    const tag = { run_id: null, model_tag: 's3://bucket/model.pt' };
    await show([
      fakeJob({ job_id: 4, status: 'cancelled' }),
      fakeJob({ job_id: 3, kind: 'predict', status: 'failed', error: 'no' }),
      fakeJob({ job_id: 2, kind: 'predict', ...tag, target: '/home/p.csv' }),
      fakeJob({ epoch: 2, metrics })
    ]);
    screen.getByText('Tests and predictions (4)');
    expect(lines()).toEqual([
      'Test 4 of run 5cancelled',
      'Prediction 3 of run 5failedno',
      'Prediction 2 of s3://bucket/model.ptcompleted/home/p.csv',
      'Test 1 of run 5, epoch 2completedtest_loss 0.1235, f1 –'
    ]);
  });

  it('are no section where there are none', async () => {
    await show([]);
    expect(screen.queryByText(/Tests and predictions/)).toBeNull();
  });

  it('go on while the engine works, and are asked for no more when nobody looks', async () => {
    const { service, unmount } = await show([
      fakeJob({ status: 'running', progress: 0.259, ended: null })
    ]);
    expect(lines()).toEqual(['Test 1 of run 5running, 25 %']);
    service.jobs.mockResolvedValue([fakeJob({ target: 'x' })]);
    await act(() => jest.advanceTimersByTimeAsync(2000));
    expect(lines()).toEqual(['Test 1 of run 5completedx']);
    service.jobs.mockRejectedValue(new Error('away'));
    await act(() => jest.advanceTimersByTimeAsync(2000));
    expect(lines()).toHaveLength(1);
    expect(service.jobs).toHaveBeenCalledTimes(3);
    unmount();
    await jest.advanceTimersByTimeAsync(60000);
    expect(service.jobs).toHaveBeenCalledTimes(3);
  });

  it('are those of the experiment that is chosen', async () => {
    const { service, choose } = await show([fakeJob({})]);
    service.jobs.mockResolvedValue([]);
    choose('new');
    expect(lines()).toEqual([]);
    await act(() => jest.advanceTimersByTimeAsync(0));
    expect(service.jobs).toHaveBeenLastCalledWith('new');
    expect(lines()).toEqual([]);
  });

  it('are not asked of a server that is away', async () => {
    const { service } = await show([fakeJob({})], 'offline');
    expect(service.jobs).not.toHaveBeenCalled();
  });
});
