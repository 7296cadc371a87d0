import * as React from 'react';

interface IPanelNoteProps {
  title: string;
  children?: React.ReactNode;

  /** How screen readers are told; by default once they have nothing else to say. */
  role?: 'status' | 'alert' | 'none';
  isSmall?: boolean;
  isProblem?: boolean;
}

/**
 * Says why there is nothing to see, and what would change that.
 */
export function PanelNote(props: IPanelNoteProps): JSX.Element {
  const { title, children, role = 'status' } = props;
  const classes = ['jp-rf-PanelNote'];
  if (props.isSmall) {
    classes.push('jp-mod-small');
  }
  if (props.isProblem) {
    classes.push('jp-mod-problem');
  }
  return (
    <div
      className={classes.join(' ')}
      role={role === 'none' ? undefined : role}
    >
      <div className="jp-rf-PanelNote-title">{title}</div>
      {children && <div>{children}</div>}
    </div>
  );
}
