import { formatValue, shortKnob } from './format';
import { IRun } from './tokens';

/**
 * Names for knobs that are short and still tell them apart: the short ones, unless two are the same.
 */
export function knobLabels(paths: readonly string[]): Map<string, string> {
  const short = paths.map(shortKnob);
  return new Map(
    paths.map((path, i) => {
      const isUnique = short.filter(name => name === short[i]).length === 1;
      return [path, isUnique ? short[i] : path];
    })
  );
}

/**
 * What is particular to a run: "lr 0.01, batch_size 32".
 */
export function knobsText(run: IRun, paths: readonly string[]): string {
  const labels = knobLabels(paths);
  return paths
    .filter(path => run.knobs[path] !== undefined)
    .map(path => `${labels.get(path)} ${formatValue(run.knobs[path])}`)
    .join(', ');
}
