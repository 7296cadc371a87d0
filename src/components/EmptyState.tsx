import * as React from 'react';

export interface IEmptyStateProps {
  title: string;
  children?: React.ReactNode;
}

/**
 * Says why there is nothing to see, and what would change that.
 */
export function EmptyState(props: IEmptyStateProps): JSX.Element {
  return (
    <div className="jp-rf-Empty" role="status">
      <div className="jp-rf-Empty-title">{props.title}</div>
      {props.children && <div>{props.children}</div>}
    </div>
  );
}
