import * as React from 'react';

interface IProgressBarProps {
  /** Share that is done, 0 to 1. */
  value: number;

  /** Share of the present epoch that is done; null hides its thin bar. */
  epoch: number | null;
  label: string;

  /** The same in words. */
  text: string;
}

/**
 * The whole run as a bar, and its present epoch as a thin one beneath.
 */
export function ProgressBar(props: IProgressBarProps): JSX.Element {
  const { value, epoch, label, text } = props;
  return (
    <div
      className="jp-rf-Progress"
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.floor(100 * value)}
      aria-valuetext={text}
    >
      <div className="jp-rf-Progress-track">
        <div className="jp-rf-Progress-fill" style={{ width: width(value) }} />
      </div>
      <div className="jp-rf-Progress-epoch">
        {epoch !== null && (
          <div
            className="jp-rf-Progress-fill"
            style={{ width: width(epoch) }}
          />
        )}
      </div>
    </div>
  );
}

function width(share: number): string {
  return `${100 * Math.min(1, Math.max(0, share))}%`;
}
