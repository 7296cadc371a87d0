import { IMetric, IRun } from '../tokens';

/** Charts that are shown unless the user chose others. */
const MOST_DEFAULTS = 4;

/** What most want to see, most wanted first. */
const WANTED = [
  /^val_loss$/,
  /^(train_)?loss$/,
  /^minibatch_loss$/,
  /^val_acc/,
  /^(?!train_).*(acc|f1|auc|bleu|rouge)/,
  /acc|f1|auc|bleu|rouge/
];

/**
 * The metrics to show as long as the user has not chosen any.
 */
export function defaultMetrics(metrics: readonly IMetric[]): string[] {
  const names = metrics.map(metric => metric.name);
  const wanted = WANTED.map(pattern => names.find(name => pattern.test(name)));
  const found = wanted.filter((name): name is string => name !== undefined);
  const unique = Array.from(new Set(found.concat(names)));
  return unique.slice(0, MOST_DEFAULTS);
}

/**
 * The newest value of a metric that the run itself carries.
 */
export function latest(run: IRun, metric: string | null): number | null {
  if (metric === null) {
    return null;
  }
  const value = run.metrics[metric];
  return value === undefined && metric === 'minibatch_loss'
    ? run.loss
    : (value ?? null);
}

/** Changes whenever a run has made progress that a chart shows. */
export function progressKey(runs: readonly IRun[]): string {
  return runs
    .map(run => `${run.run_id}:${run.step}:${run.completed_epochs}`)
    .join(' ');
}
