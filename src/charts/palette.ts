/** How many colours `style/dashboard.css` makes from the theme's: `--jp-rf-series-0` ... */
const COLOURS = 8;

/** Dash patterns, so that colour is not the only mark: four times as many runs to tell apart. */
const DASHES: readonly (readonly number[])[] = [
  [],
  [6, 3],
  [2, 2],
  [8, 3, 2, 3]
];

/** How a run's curve looks, everywhere. */
interface IMark {
  /** CSS colour, to be resolved by the page. */
  colour: string;
  dash: readonly number[];
}

/**
 * The mark of a run: its own as long as it lives, whatever other runs come and go.
 */
export function markOf(runId: number): IMark {
  const index = Math.max(0, runId - 1);
  return {
    colour: `var(--jp-rf-series-${index % COLOURS})`,
    dash: DASHES[Math.floor(index / COLOURS) % DASHES.length]
  };
}

/** The dashes of a metric among several in one chart. */
export function dashOfMetric(index: number): readonly number[] {
  return DASHES[index % DASHES.length];
}

/**
 * What CSS colours are in the theme of the page: a canvas knows no variables.
 */
export function resolveColours(
  host: HTMLElement,
  colours: readonly string[]
): string[] {
  const probe = host.ownerDocument.createElement('span');
  host.appendChild(probe);
  const resolved = new Map<string, string>();
  for (const colour of colours) {
    if (!resolved.has(colour)) {
      probe.style.color = colour;
      resolved.set(colour, getComputedStyle(probe).color);
    }
  }
  probe.remove();
  return colours.map(colour => resolved.get(colour) ?? colour);
}
