import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { explainError } from '../explain';
import { IRunService, IRunsModel } from '../tokens';
import { PanelNote } from '../widgets/PanelNote';
import { handOver } from './handOver';

interface INoRunsProps {
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
export function NoRuns(props: INoRunsProps): JSX.Element | null {
  const { service, model, count, onClearFilter, trans } = props;
  if (count) {
    return (
      <PanelNote
        title={trans.__('No run matches the filter.')}
        role="none"
        isSmall
      >
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
      </PanelNote>
    );
  }
  if (model.problem) {
    const title = explainError(model.problem, trans);
    return <PanelNote title={title} role="none" isSmall isProblem />;
  }
  if (service.connection === 'unavailable') {
    // The connection line says why.
    return null;
  }
  if (!model.isReady) {
    const title = trans.__('Asking the server for runs…');
    return <PanelNote title={title} role="none" isSmall />;
  }
  if (model.experiment !== null) {
    const title = trans.__('Experiment %1 has no runs yet.', model.experiment);
    return <PanelNote title={title} role="none" isSmall />;
  }
  return (
    <PanelNote
      title={trans.__('No experiment yet. Start one in a notebook:')}
      role="none"
      isSmall
    >
      <pre className="jp-rf-NoRuns-hint">{HINT}</pre>
    </PanelNote>
  );
}
