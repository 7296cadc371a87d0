import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { explainError } from '../explain';
import { IRunService, IRunsModel } from '../tokens';
import { handOver } from './handOver';

export interface IEmptyStateProps {
  service: IRunService;
  model: IRunsModel;

  /** How many runs there would be without the filter. */
  count: number;
  onClearFilter: () => void;
  trans: TranslationBundle;
}

// Python, the same in all languages.
const HINT = `from rapidfire_lab import Experiment

experiment = Experiment("spec.py", experiment_name="flowers")
experiment.run_fit(handle, configs, seed=42)`;

/**
 * Why there are no rows, and what to do about it.
 */
export function EmptyState(props: IEmptyStateProps): JSX.Element | null {
  const { service, model, count, onClearFilter, trans } = props;
  if (count) {
    return (
      <div className="jp-rf-EmptyState">
        <p>{trans.__('No run matches the filter.')}</p>
        <button
          type="button"
          className="jp-rf-Button"
          onClick={event => {
            handOver(event.currentTarget, 'input[type="search"]');
            onClearFilter();
          }}
        >
          {trans.__('Clear filter')}
        </button>
      </div>
    );
  }
  if (model.problem) {
    return (
      <div className="jp-rf-EmptyState jp-mod-problem">
        <p>{explainError(model.problem, trans)}</p>
      </div>
    );
  }
  if (service.connection === 'unavailable') {
    // The connection line says why.
    return null;
  }
  if (!model.isReady) {
    return (
      <div className="jp-rf-EmptyState">
        <p>{trans.__('Asking the server for runs…')}</p>
      </div>
    );
  }
  if (model.experiment !== null) {
    return (
      <div className="jp-rf-EmptyState">
        <p>{trans.__('Experiment %1 has no runs yet.', model.experiment)}</p>
      </div>
    );
  }
  return (
    <div className="jp-rf-EmptyState">
      <p>{trans.__('No experiment yet. Start one in a notebook:')}</p>
      <pre className="jp-rf-EmptyState-hint">{HINT}</pre>
    </div>
  );
}
