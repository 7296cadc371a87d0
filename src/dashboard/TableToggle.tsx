import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

interface ITableToggleProps {
  trans: TranslationBundle;
  asTable: boolean;
  onToggle: (asTable: boolean) => void;
  className?: string;
}

/**
 * Has a chart be shown as a table, and back.
 */
export function TableToggle({
  trans,
  asTable,
  onToggle,
  className = 'jp-rf-Link'
}: ITableToggleProps): JSX.Element {
  return (
    <button
      type="button"
      className={className}
      aria-pressed={asTable}
      onClick={() => onToggle(!asTable)}
    >
      {asTable ? trans.__('Show as chart') : trans.__('Show as table')}
    </button>
  );
}
