import { IRun, KnobValue } from './tokens';

/**
 * A number or other value of a knob or metric, short enough for a table cell.
 */
export function formatValue(value: KnobValue | undefined): string {
  if (value === null || value === undefined) {
    return '–';
  }
  if (typeof value === 'number') {
    const isCount = Number.isInteger(value) && Math.abs(value) < 1e6;
    return isCount ? `${value}` : formatNumber(value);
  }
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/**
 * The same with all digits, where there is room.
 */
export function exactValue(value: KnobValue): string {
  return typeof value === 'number' ? `${value}` : formatValue(value);
}

/**
 * Four significant digits, without trailing zeros: 0.0123, 1.5e-7.
 */
function formatNumber(value: number): string {
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e6)) {
    return value.toExponential(3).replace(/\.?0+e/, 'e');
  }
  return `${Number(value.toPrecision(4))}`;
}

/**
 * Seconds as a clock shows them: 0:07, 12:30, 3:05:00.
 */
export function formatDuration(seconds: number | null): string {
  if (seconds === null || !Number.isFinite(seconds)) {
    return '';
  }
  const whole = Math.max(0, Math.round(seconds));
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  const two = (value: number) => `${value}`.padStart(2, '0');
  const rest = two(whole % 60);
  return hours ? `${hours}:${two(minutes)}:${rest}` : `${minutes}:${rest}`;
}

export function formatPercent(share: number): string {
  return `${Math.floor(100 * share)} %`;
}

const SECTIONS = ['train', 'user_knobs', 'args', 'name'];

/**
 * A knob's name without its sections: "lr" for "train.optimizer.args.lr", "optimizer" for its name.
 */
export function shortKnob(path: string): string {
  const parts = path.split('.').filter(part => !SECTIONS.includes(part));
  return parts[parts.length - 1] ?? path;
}

/**
 * Short names of knobs; those that share one are called by their whole path.
 */
export function knobLabels(paths: readonly string[]): Map<string, string> {
  const counts = new Map<string, number>();
  for (const path of paths) {
    const short = shortKnob(path);
    counts.set(short, (counts.get(short) ?? 0) + 1);
  }
  return new Map(
    paths.map(path => {
      const short = shortKnob(path);
      return [path, counts.get(short) === 1 ? short : path];
    })
  );
}

/**
 * Knobs that tell runs apart, those with the most different values first. All of them where none
 * differs, as with a single run.
 */
export function tellingKnobs(
  runs: readonly IRun[],
  paths: readonly string[]
): string[] {
  const counts = new Map(
    paths.map(path => {
      const values = runs.map(run => JSON.stringify(run.knobs[path]));
      return [path, new Set(values).size];
    })
  );
  const count = (path: string) => counts.get(path) ?? 0;
  const found = paths.filter(path => count(path) > 1);
  return found.length
    ? found.sort((a, b) => count(b) - count(a))
    : paths.slice();
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
