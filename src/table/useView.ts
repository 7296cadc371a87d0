import * as React from 'react';

interface IView {
  /** What is seen of the table's body, in pixels. */
  top: number;
  height: number;

  /** Height of a row. */
  row: number;
}

// Where nothing can be measured, as in a panel that is still hidden.
const HEIGHT = 600;

/**
 * What is seen of a long table.
 *
 * @param scroller - What scrolls.
 * @param isOn - Whether the table is long.
 * @param row - Height of a row until it can be measured.
 */
export function useView(
  scroller: React.RefObject<HTMLElement>,
  isOn: boolean,
  row: number
): IView {
  const [view, setView] = React.useState<IView>({
    top: 0,
    height: HEIGHT,
    row
  });
  React.useLayoutEffect(() => {
    const node = scroller.current;
    if (!node || !isOn) {
      return;
    }
    const update = () => setView(old => settled(old, measure(node, row)));
    update();
    node.addEventListener('scroll', update, { passive: true });
    const observer =
      'ResizeObserver' in window ? new ResizeObserver(update) : null;
    observer?.observe(node);
    return () => {
      node.removeEventListener('scroll', update);
      observer?.disconnect();
    };
  }, [scroller, isOn, row]);
  return view;
}

function measure(node: HTMLElement, fallback: number): IView {
  const first = node.querySelector('[data-run-id]');
  const row = first?.getBoundingClientRect().height || fallback;
  // Whole steps of a few rows: the table is not rendered at every pixel.
  const step = 4 * row;
  const top = Math.floor(node.scrollTop / step) * step;
  return { top, height: (node.clientHeight || HEIGHT) + step, row };
}

/** The old object while nothing changed, which spares React the work. */
function settled(old: IView, view: IView): IView {
  const isSame =
    old.top === view.top && old.height === view.height && old.row === view.row;
  return isSame ? old : view;
}
