import { shortKnob } from '../format';

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
