import { RefObject, useEffect, useRef, useState } from 'react';

import { loadPlots } from '../charts/load';
import {
  AxisKind,
  IPlot,
  IPlotData,
  IPlotListener,
  IPlotModule
} from '../charts/types';

/** Height of every plot; `dashboard.css` leaves the same room. */
const HEIGHT = 230;

interface IUsePlot extends IPlotListener {
  data: IPlotData;
  axis: AxisKind;
  log: boolean;
  syncKey: string;
  hidden: ReadonlySet<number>;
  focus: number | null;
  width: number;

  /** Changes with the theme. */
  theme: number;

  /** The zoom is reset when this changes. */
  resets: number;
}

/**
 * Keep a plot in an element as the properties say.
 *
 * @returns Whether the module that draws could not be loaded.
 */
export function usePlot(
  host: RefObject<HTMLElement>,
  props: IUsePlot
): boolean {
  const [module, setModule] = useState<IPlotModule | null>(null);
  const [failed, setFailed] = useState(false);
  const plot = useRef<IPlot | null>(null);
  // The plot outlives many renders: what it calls has to be the latest.
  const latest = useRef(props);
  latest.current = props;
  const { data, axis, log, syncKey, hidden, focus, width, theme } = props;

  useEffect(() => {
    let isCurrent = true;
    loadPlots().then(
      loaded => isCurrent && setModule(loaded),
      () => isCurrent && setFailed(true)
    );
    return () => {
      isCurrent = false;
    };
  }, []);

  useEffect(() => {
    if (!module || !host.current) {
      return;
    }
    const options = {
      axis,
      log,
      syncKey,
      onReading: (reading: Parameters<IPlotListener['onReading']>[0]) =>
        latest.current.onReading(reading),
      onZoom: (zoomed: boolean) => latest.current.onZoom(zoomed)
    };
    const size = { width: latest.current.width, height: HEIGHT };
    const created = module.createPlot(
      host.current,
      latest.current.data,
      options,
      size
    );
    created.setHidden(latest.current.hidden);
    plot.current = created;
    return () => {
      plot.current = null;
      created.dispose();
      latest.current.onReading(null);
      latest.current.onZoom(false);
    };
  }, [module, host, axis, log, syncKey]);

  useEffect(() => {
    // A slider moves faster than a screen draws.
    const frame = requestAnimationFrame(() => plot.current?.update(data));
    return () => cancelAnimationFrame(frame);
  }, [data]);
  useEffect(() => plot.current?.setHidden(hidden), [hidden]);
  useEffect(() => plot.current?.setFocus(focus), [focus]);
  useEffect(() => plot.current?.setSize(width, HEIGHT), [width]);
  useEffect(() => plot.current?.recolour(), [theme]);
  useEffect(() => plot.current?.resetZoom(), [props.resets]);
  return failed;
}
