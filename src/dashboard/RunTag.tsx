import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { Swatch } from './Swatch';

interface IRunTagProps {
  trans: TranslationBundle;

  /** null: the line is about no single run. */
  runId: number | null;
}

/**
 * Which run a line is about, with the mark that its curves have.
 */
export function RunTag(props: IRunTagProps): JSX.Element {
  const { trans, runId } = props;
  return (
    <span className="jp-rf-RunTag">
      {runId !== null && (
        <>
          <Swatch runId={runId} />
          {trans.__('Run %1', runId)}
        </>
      )}
    </span>
  );
}
