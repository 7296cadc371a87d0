import { nullTranslator, TranslationBundle } from '@jupyterlab/translation';

import { fakeRun } from '../../__tests__/fakeService';
import { knobLabels, tellingKnobs } from '../../format';
import { IRun } from '../../tokens';
import { arrange, keyMetric, matching } from '../arrange';
import { pickRuns } from '../pickRuns';
import { completeState } from '../tableState';

const trans = nullTranslator.load('rapidfire_lab');

const runs = (...options: Partial<IRun>[]) =>
  options.map((option, index) => fakeRun({ run_id: index + 1, ...option }));

const LINEAGE = runs({}, {}, { parent: 1 }, { parent: 3 }, { parent: 2 });

function ids(all: readonly IRun[], kept: unknown = {}) {
  const byLoss = ({ loss }: IRun) => loss;
  const state = completeState(kept);
  const shown = matching(all, state, 'running', trans);
  return arrange(shown, state, byLoss).map(({ run }) => run.run_id);
}

describe('arrange', () => {
  it('puts clones beneath their parents, in steps', () => {
    const places = arrange(LINEAGE, completeState({}), () => null);
    expect(places.map(({ run, depth }) => [run.run_id, depth])).toEqual([
      [1, 0],
      [3, 1],
      [4, 2],
      [2, 0],
      [5, 1]
    ]);
  });

  it('does so in descending order, too', () => {
    const sort = { column: 'run', descending: true };
    expect(ids(LINEAGE, { sort })).toEqual([2, 5, 1, 3, 4]);
  });

  it('leaves a clone in its own place where its parent is not shown', () => {
    expect(ids(LINEAGE.slice(1))).toEqual([2, 5, 3, 4]);
  });

  it('loses no run to a lineage that goes round in circles', () => {
    const circle = runs({ parent: 2 }, { parent: 1 });
    expect(ids(circle)).toEqual([1, 2]);
  });

  it('sorts by a key, runs without one last in either direction', () => {
    const all = runs({ loss: 2 }, { loss: null }, { loss: 1 }, { loss: 2 });
    const by = (descending: boolean) =>
      ids(all, { sort: { column: 'loss', descending } });
    expect(by(false)).toEqual([3, 1, 4, 2]);
    expect(by(true)).toEqual([1, 4, 3, 2]);
  });

  it('leaves the list that it was given as it is', () => {
    const all = Object.freeze(runs({ loss: 2 }, { loss: 1 }));
    ids(all, { sort: { column: 'loss' } });
    expect(all.map(({ run_id }) => run_id)).toEqual([1, 2]);
  });

  it.each([
    ['2', [2]],
    ['failed', [2]],
    ['LR=0.5', [3]],
    ['user_knobs.hidden', [1]],
    ['memory', [2]],
    ['out failed', [2]],
    ['out running', []]
  ])('finds runs by %s', (filter, found) => {
    const all = runs(
      { knobs: { 'user_knobs.hidden': 8 } },
      { status: 'failed', error: 'Out of memory', knobs: {} },
      { knobs: { 'train.optimizer.args.lr': 0.5 } }
    );
    expect(ids(all, { filter })).toEqual(found);
  });

  it.each(['läuft', 'running'])('finds a status as it is shown: %s', filter => {
    const german = {
      __: (text: string) => (text === 'running' ? 'läuft' : text)
    } as TranslationBundle;
    const all = runs({ status: 'completed' }, {});
    const state = completeState({ filter });
    const shown = matching(all, state, 'running', german);
    expect(shown.map(({ run_id }) => run_id)).toEqual([2]);
  });

  it('filters by what a status is called with the engine gone', () => {
    const all = runs({}, { status: 'completed' });
    const state = completeState({ statuses: ['interrupted'] });
    const shown = matching(all, state, 'not running', trans);
    expect(shown.map(({ run_id }) => run_id)).toEqual([1]);
  });
});

describe('completeState', () => {
  it.each([null, undefined, 7, 'x', [], { sort: 3, filter: {}, columns: [] }])(
    'makes something of %j',
    kept => {
      expect(completeState(kept)).toEqual({
        sort: { column: 'run', descending: false },
        filter: '',
        statuses: [],
        columns: {},
        grouped: true
      });
    }
  );

  it('keeps what it knows, also through JSON', () => {
    const state = completeState({
      sort: { column: 'loss', descending: true },
      filter: 'lr',
      statuses: ['failed', 'exploded'],
      columns: { loss: false, time: 'yes' },
      grouped: false
    });
    expect(state.statuses).toEqual(['failed']);
    expect(state.columns).toEqual({ loss: false });
    expect(completeState(JSON.parse(JSON.stringify(state)))).toEqual(state);
  });
});

describe('pickRuns', () => {
  it('takes runs with their clones and the clones of those', () => {
    const found = pickRuns(LINEAGE, [1]).map(({ run_id }) => run_id);
    expect(found).toEqual([1, 3, 4]);
  });
});

describe('keyMetric', () => {
  it('tells a value that is not finite from none at all', () => {
    expect(keyMetric(fakeRun({ metrics: { f1: null } }), 'f1')).toBeNull();
    expect(keyMetric(fakeRun({ metrics: {}, trend: [] }), 'f1')).toBe(
      undefined
    );
  });

  it('is not that of minibatches while no epoch has ended', () => {
    const run = fakeRun({ metrics: {}, trend: [3, 2] });
    expect(keyMetric(run, 'f1')).toBe(undefined);
    expect(keyMetric(run, null)).toBe(undefined);
    expect(keyMetric(run, 'minibatch_loss')).toBe(2);
  });
});

describe('knobLabels', () => {
  it('calls knobs by their whole path where short names are the same', () => {
    const paths = ['train.batch_size', 'train.a.x', 'user_knobs.x'];
    expect([...knobLabels(paths).values()]).toEqual([
      'batch_size',
      'train.a.x',
      'user_knobs.x'
    ]);
  });
});

describe('tellingKnobs', () => {
  it('has those that differ most first, and none that never differs', () => {
    const all = runs(
      { knobs: { seed: 1, model: 'a', lr: 0.1 } },
      { knobs: { seed: 1, model: 'a', lr: 0.2 } },
      { knobs: { seed: 1, model: 'b', lr: 0.3 } }
    );
    const paths = ['seed', 'model', 'lr'];
    expect(tellingKnobs(all, paths)).toEqual(['lr', 'model']);
    expect(paths).toEqual(['seed', 'model', 'lr']);
  });

  it('counts a knob that only some runs have', () => {
    const all = runs({ knobs: { depth: 2 } }, { knobs: {} });
    expect(tellingKnobs(all, ['lr', 'depth'])).toEqual(['depth']);
  });

  it('has all of them for runs that are alike', () => {
    expect(tellingKnobs(runs({}), ['b', 'a'])).toEqual(['b', 'a']);
  });
});
