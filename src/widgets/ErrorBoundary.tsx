import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { PanelNote } from './PanelNote';

interface IErrorBoundaryProps {
  trans: TranslationBundle;
  children: React.ReactNode;
}

interface IErrorBoundaryState {
  error: unknown;
  hasFailed: boolean;
}

/**
 * Says that a view is broken, in its place, and lets the user try again.
 */
export class ErrorBoundary extends React.Component<
  IErrorBoundaryProps,
  IErrorBoundaryState
> {
  state: IErrorBoundaryState = { error: null, hasFailed: false };

  static getDerivedStateFromError(error: unknown): IErrorBoundaryState {
    return { error, hasFailed: true };
  }

  componentDidCatch(error: unknown): void {
    console.error('RapidFire Lab:', error);
  }

  render(): React.ReactNode {
    const { trans, children } = this.props;
    const { error, hasFailed } = this.state;
    if (!hasFailed) {
      return children;
    }
    return (
      <PanelNote
        title={trans.__('This view failed: %1', String(error))}
        role="alert"
        isSmall
        isProblem
      >
        <button
          type="button"
          className="jp-rf-Button"
          onClick={() => this.setState({ error: null, hasFailed: false })}
        >
          {trans.__('Try again')}
        </button>
      </PanelNote>
    );
  }
}
