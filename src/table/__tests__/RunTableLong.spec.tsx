import { nullTranslator } from '@jupyterlab/translation';
import {
  act,
  configure,
  fireEvent,
  render,
  screen
} from '@testing-library/react';
import * as React from 'react';

import { fakeActions, fakeRun, FakeService } from '../../__tests__/fakeService';
import { RunTable } from '../RunTable';
import * as statusCell from '../StatusCell';

// Asking for the styles of every node makes queries by role ten times slower.
configure({ defaultHidden: true });

const trans = nullTranslator.load('rapidfire_lab');

function show(count: number) {
  const service = new FakeService();
  const runs = Array.from({ length: count }, (_, index) =>
    fakeRun({ run_id: index + 1 })
  );
  service.model.update({ runs });
  const { container } = render(
    <RunTable
      service={service}
      model={service.model}
      actions={fakeActions()}
      trans={trans}
      variant="wide"
    />
  );
  const scroller = container.querySelector('.jp-rf-RunGrid') as HTMLElement;
  return { service, model: service.model, runs, scroller };
}

function scroll(scroller: HTMLElement, top: number) {
  scroller.scrollTop = top;
  fireEvent.scroll(scroller);
}

const ids = () =>
  screen.getAllByRole('rowheader').map(({ textContent }) => textContent);

describe('a table of many runs', () => {
  afterEach(() => {
    jest.restoreAllMocks();
  });

  it('renders anew only the rows of runs that changed', () => {
    const cell = jest.spyOn(statusCell, 'StatusCell');
    const { model, runs } = show(100);
    expect(cell.mock.calls.length).toBeGreaterThanOrEqual(100);
    cell.mockClear();
    act(() => model.replace({ ...runs[41], loss: 0.1 }));
    expect(cell.mock.calls.map(([{ run }]) => run.run_id)).toEqual([42]);
    cell.mockClear();
    act(() => model.update({ metricNames: [...model.metricNames] }));
    expect(cell).not.toHaveBeenCalled();
  });

  it('renders only what is seen, and tells how much there is', () => {
    const { scroller } = show(1000);
    expect(ids().length).toBeLessThan(60);
    expect(ids()[0]).toBe('1');
    const table = screen.getByRole('table');
    expect(table.getAttribute('aria-rowcount')).toBe('1001');
    scroll(scroller, 15000);
    expect(ids()).toContain('501');
    expect(ids()).not.toContain('1');
    const row = screen.getByRole('rowheader', { name: '501' }).closest('tr');
    expect(row?.getAttribute('aria-rowindex')).toBe('502');
  });

  it('keeps the row with the focus, and the focus', () => {
    const { scroller, model, runs } = show(1000);
    const stop = screen.getByRole('button', { name: 'Stop run 3' });
    stop.focus();
    scroll(scroller, 15000);
    act(() => model.replace({ ...runs[2], loss: 0.1 }));
    expect(ids()).toContain('3');
    expect(ids()).not.toContain('4');
    expect(document.activeElement).toBe(stop);
  });
});
