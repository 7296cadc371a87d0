import * as React from 'react';

import { markOf } from '../charts/palette';
import { LineSample } from './LineSample';

interface ISwatchProps {
  runId: number;

  /** Other dashes than the run's own. */
  dash?: readonly number[];
}

/**
 * A run's colour and dashes, as its curve has them.
 */
export function Swatch(props: ISwatchProps): JSX.Element {
  const { colour, dash } = { ...markOf(props.runId), ...props };
  return <LineSample colour={colour} dash={dash} />;
}
