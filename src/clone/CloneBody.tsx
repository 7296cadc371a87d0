import { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget, UseSignal } from '@jupyterlab/ui-components';
import * as React from 'react';

import { explainError } from '../explain';
import { CloneForm } from './CloneForm';
import { CloneModel } from './cloneModel';

/**
 * The body of the Clone-Modify dialog: the form, once the parent's config is there.
 */
export class CloneBody extends ReactWidget {
  constructor(
    private readonly _model: CloneModel,
    private readonly _trans: TranslationBundle
  ) {
    super();
    this.addClass('jp-rf-CloneBody');
  }

  protected render(): JSX.Element {
    return (
      <UseSignal signal={this._model.changed}>
        {() => this._renderModel()}
      </UseSignal>
    );
  }

  private _renderModel(): JSX.Element {
    const model = this._model;
    const trans = this._trans;
    const { parent, form, reading } = model;
    const runId = model.run.run_id;
    if (parent && form && reading) {
      return <CloneForm {...{ model, parent, form, reading, trans }} />;
    }
    if (model.problem) {
      return (
        <div role="alert" className="jp-rf-CloneBody-problem">
          <p>{trans.__('The config of run %1 could not be loaded.', runId)}</p>
          <p>{explainError(model.problem, trans)}</p>
          <button
            type="button"
            className="jp-rf-Clone-link"
            onClick={() => void model.load()}
          >
            {trans.__('Try again')}
          </button>
        </div>
      );
    }
    return (
      <div role="status" className="jp-rf-CloneBody-loading">
        <span className="jp-rf-CloneBody-spinner" aria-hidden="true" />
        {trans.__('Loading the config of run %1…', runId)}
      </div>
    );
  }
}
