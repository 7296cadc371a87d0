import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { AxisKind, IPlotData, IReading } from '../charts/types';
import { Readout } from './Readout';
import { usePlot } from './usePlot';

interface IPlotCanvasProps {
  trans: TranslationBundle;
  data: IPlotData;
  axis: AxisKind;
  log: boolean;

  /** The metric of an axis that goes by one. */
  by: string | null;
  metric: string;

  /** The chart in words. */
  label: string;
  hidden: ReadonlySet<number>;
  focus: number | null;
  width: number;
  theme: number;
  syncKey: string;

  /** The zoom is reset when this changes. */
  resets: number;
  onZoom(zoomed: boolean): void;
}

/**
 * The curves of a chart, and what the cursor is over.
 */
export function PlotCanvas(props: IPlotCanvasProps): JSX.Element {
  const { trans, axis, by, metric } = props;
  const [reading, setReading] = React.useState<IReading | null>(null);
  const host = React.useRef<HTMLDivElement>(null);
  const failed = usePlot(host, { ...props, onReading: setReading });
  if (failed) {
    return (
      <p className="jp-rf-Chart-none" role="alert">
        {trans.__('The charts could not be loaded. Reload the page.')}
      </p>
    );
  }
  return (
    <>
      <div
        className="jp-rf-Chart-canvas"
        ref={host}
        role="img"
        aria-label={props.label}
      />
      {reading && (
        <Readout
          trans={trans}
          reading={reading}
          axis={axis}
          by={by}
          metric={metric}
          width={props.width}
        />
      )}
    </>
  );
}
