import * as React from 'react';

export interface IPanelNoteProps {
  title: string;
  children?: React.ReactNode;
}

/**
 * Says why there is nothing to see, and what would change that.
 */
export function PanelNote(props: IPanelNoteProps): JSX.Element {
  return (
    <div className="jp-rf-PanelNote" role="status">
      <div className="jp-rf-PanelNote-title">{props.title}</div>
      {props.children && <div>{props.children}</div>}
    </div>
  );
}
