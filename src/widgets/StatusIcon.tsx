import * as React from 'react';

import { ShownStatus } from '../runs';

const DISC = 'M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1z';
const RING = `${DISC}m0 1.4a5.6 5.6 0 1 1 0 11.2A5.6 5.6 0 0 1 8 2.4z`;
const SQUARE = 'M5.5 5.5h5v5h-5z';

// Told apart by their shapes alone: filled where something happens or has come to its end.
const SHAPES: { [status in ShownStatus]: string } = {
  queued: `${RING}M7.3 4.3h1.4v3.4l2.3 1.3-.7 1.2-3-1.7z`,
  running: `${DISC}M6.3 4.7v6.6L11.7 8z`,
  stopping: `${RING}${SQUARE}`,
  interrupted: `${RING}M5.8 5h1.6v6H5.8zM8.6 5h1.6v6H8.6z`,
  stopped: `${DISC}${SQUARE}`,
  completed: `${DISC}M6.9 11.4 3.8 8.3l1.1-1.1 2 2 4.2-4.2 1.1 1.1z`,
  failed: `${DISC}M5.4 4.3 8 6.9l2.6-2.6 1.1 1.1L9.1 8l2.6 2.6-1.1 1.1L8 9.1l-2.6 2.6-1.1-1.1L6.9 8 4.3 5.4z`
};

/**
 * A status as a picture; it always stands beside the word.
 */
export function StatusIcon({ status }: { status: ShownStatus }): JSX.Element {
  return (
    <svg
      className="jp-rf-StatusIcon"
      viewBox="0 0 16 16"
      aria-hidden="true"
      focusable="false"
    >
      <path d={SHAPES[status]} fill="currentColor" fillRule="evenodd" />
    </svg>
  );
}
