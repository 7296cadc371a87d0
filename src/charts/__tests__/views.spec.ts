import { IRun, IRunsModel } from '../../tokens';
import { best, lowerIsBetter, suitsLog } from '../best';
import { comparable, goodnessColour, knobRows } from '../knobRows';
import { defaultMetrics, latest, progressKey } from '../metrics';
import { markOf, resolveColours } from '../palette';
import { scaleFor } from '../scale';
import { evenTicks, logTicks } from '../ticks';
import { soloed, toggled } from '../visibility';

function run(run_id: number, more: Partial<IRun> = {}): IRun {
  return {
    run_id,
    loss: null,
    metrics: {},
    knobs: {},
    step: 0,
    completed_epochs: 0,
    ...more
  } as IRun;
}

describe('ticks', () => {
  it('are powers of ten on a wide log scale', () => {
    expect(logTicks(1e-4, 2)).toEqual([1e-4, 1e-3, 1e-2, 0.1, 1]);
  });

  it('go between them on a narrow one', () => {
    expect(logTicks(0.3, 2.5)).toEqual([0.5, 1, 2]);
    expect(logTicks(0.31, 0.38)).toEqual([0.32, 0.34, 0.36, 0.38]);
  });

  it('are none where there is no log scale', () => {
    expect(logTicks(0, 1)).toEqual([]);
    expect(logTicks(2, 2)).toEqual([]);
  });

  it('are round numbers on a linear scale', () => {
    expect(evenTicks(0.13, 1.02)).toEqual([0.2, 0.4, 0.6, 0.8, 1]);
  });
});

describe('scaleFor', () => {
  it('is logarithmic where the numbers span more than a factor of thirty', () => {
    const scale = scaleFor([1e-4, 1e-3, 1e-2]);
    expect(scale.kind).toBe('log');
    expect(scale.place(1e-3)).toBeCloseTo(0.5);
    expect(scale.place(0)).toBeNull();
    expect(scale.ticks.map(tick => tick.label)).toEqual([
      '0.0001',
      '0.001',
      '0.01'
    ]);
  });

  it('is linear otherwise', () => {
    const scale = scaleFor([10, 20, 30, undefined]);
    expect(scale.kind).toBe('linear');
    expect(scale.place(20)).toBeCloseTo(0.5);
    expect(scale.place(undefined)).toBeNull();
  });

  it('has round ticks where there are many numbers', () => {
    const many = Array.from({ length: 50 }, (_, i) => 0.013 * i);
    expect(scaleFor(many).ticks.map(tick => tick.label)).toEqual([
      '0',
      '0.2',
      '0.4',
      '0.6'
    ]);
  });

  it('leaves out ticks that would touch', () => {
    const labels = scaleFor([1, 1.01, 2]).ticks.map(tick => tick.label);
    expect(labels).toEqual(['1', '2']);
  });

  it('has a place for each word, in order', () => {
    const scale = scaleFor(['sgd', 'adam', true, 'adam']);
    expect(scale.kind).toBe('category');
    expect(scale.ticks.map(tick => tick.label)).toEqual([
      'adam',
      'sgd',
      'true'
    ]);
    expect(scale.place('adam')).toBe(0);
    expect(scale.place('lamb')).toBeNull();
  });

  it('puts a single value in the middle', () => {
    expect(scaleFor([3]).place(3)).toBe(0.5);
    expect(scaleFor(['a']).place('a')).toBe(0.5);
  });
});

describe('metrics', () => {
  it('knows from the name which way is better', () => {
    expect(['val_loss', 'RMSE', 'wer'].every(lowerIsBetter)).toBe(true);
    expect(['accuracy', 'f1', 'auc'].some(lowerIsBetter)).toBe(false);
  });

  it('finds the best, leaving out those without a value', () => {
    const values = [3, null, 1, 2];
    expect(best('loss', values, value => value)).toBe(1);
    expect(best('accuracy', values, value => value)).toBe(3);
    expect(best('loss', [null], value => value)).toBeNull();
  });

  it('shows first what most want to see', () => {
    const names = ['lr', 'val_accuracy', 'minibatch_loss', 'val_loss', 'x'];
    const metrics = names.map(name => ({ name, per: 'epoch' as const }));
    expect(defaultMetrics(metrics)).toEqual([
      'val_loss',
      'minibatch_loss',
      'val_accuracy',
      'lr'
    ]);
  });

  it('have a log scale unless they are bounded', () => {
    const names = ['val_loss', 'lr', 'perplexity', 'val_accuracy', 'train_f1'];
    expect(names.filter(suitsLog)).toEqual(names.slice(0, 3));
  });

  it('prefers what is not of the training data', () => {
    const names = ['train_loss', 'train_f1', 'val_f1', 'val_loss', 'lr'];
    const metrics = names.map(name => ({ name, per: 'epoch' as const }));
    expect(defaultMetrics(metrics).slice(0, 3)).toEqual([
      'val_loss',
      'train_loss',
      'val_f1'
    ]);
  });

  it('takes the newest value from the run', () => {
    const one = run(1, { loss: 0.5, metrics: { val_loss: 0.4 } });
    expect(latest(one, 'val_loss')).toBe(0.4);
    expect(latest(one, 'minibatch_loss')).toBe(0.5);
    expect(latest(one, 'f1')).toBeNull();
    expect(latest(one, null)).toBeNull();
  });

  it('tells when runs have moved', () => {
    const key = progressKey([run(1, { step: 5 })]);
    expect(progressKey([run(1, { step: 5, loss: 3 })])).toBe(key);
    expect(progressKey([run(1, { step: 6 })])).not.toBe(key);
  });
});

describe('knobRows', () => {
  const runs = [
    run(1, { metrics: { val_loss: 0.5, f1: 0.5 } }),
    run(2, { metrics: { val_loss: 0.2, f1: 0.9 } }),
    run(3, { metrics: {} }),
    run(4, { metrics: { val_loss: 90, f1: 0.1 } })
  ];

  it('has the best run first, by rank', () => {
    const rows = knobRows(runs, 'val_loss');
    expect(rows.map(row => row.run.run_id)).toEqual([2, 1, 4]);
    expect(rows.map(row => row.goodness)).toEqual([1, 0.5, 0]);
    expect(knobRows(runs, 'f1')[0].run.run_id).toBe(2);
  });

  it('compares losses of minibatches before an epoch has ended', () => {
    const model = { metricNames: [], runs: [run(1, { loss: 2 })] };
    expect(comparable(model as unknown as IRunsModel)).toEqual([
      'minibatch_loss'
    ]);
  });

  it('mixes colours of the theme', () => {
    expect(goodnessColour(0.5)).toContain('var(--jp-rf-good) 50%');
  });
});

describe('marks', () => {
  it('tell 32 runs apart, and stay with the run', () => {
    const marks = Array.from({ length: 32 }, (_, i) => markOf(i + 1));
    const texts = marks.map(mark => `${mark.colour} ${mark.dash.join()}`);
    expect(new Set(texts).size).toBe(32);
    expect(markOf(33)).toEqual(markOf(1));
  });

  it('resolves each colour once, and leaves nothing behind', () => {
    const host = document.createElement('div');
    document.body.append(host);
    const colours = resolveColours(host, ['rgb(1, 2, 3)', 'rgb(1, 2, 3)']);
    expect(colours).toEqual(['rgb(1, 2, 3)', 'rgb(1, 2, 3)']);
    expect(host.childElementCount).toBe(0);
  });
});

describe('visibility', () => {
  it('hides and shows a run', () => {
    expect(toggled([], 2)).toEqual([2]);
    expect(toggled([1, 2], 2)).toEqual([1]);
  });

  it('leaves one run alone, and brings the others back', () => {
    expect(soloed([2], [1, 2, 3], 2)).toEqual([1, 3]);
    expect(soloed([1, 3], [1, 2, 3], 2)).toEqual([]);
  });
});
