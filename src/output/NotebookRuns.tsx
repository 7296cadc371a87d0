import { IRenderMime } from '@jupyterlab/rendermime';
import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { API_LEVEL } from '../api';
import { explainError } from '../explain';
import { IRunTableState, RunTable } from '../table/RunTable';
import { IRunActions, IRunService, IRunsModel } from '../tokens';
import { ConnectionLine } from '../widgets/ConnectionLine';
import { NotebookHeader } from './NotebookHeader';
import { IRunsReference } from './runsReference';
import { ServerHome } from './serverHome';
import { StaticRuns } from './StaticRuns';
import { useHomeKey } from './useHomeKey';

interface INotebookRunsProps {
  service: IRunService;
  actions: IRunActions;
  trans: TranslationBundle;
  home: ServerHome;

  /** What the output refers to; null where it cannot be understood. */
  reference: IRunsReference | null;

  /** The runs of the experiment; null until they are wanted. */
  model: IRunsModel | null;

  /** The table of the notebook, as old as it is. */
  html: string | null;
  renderHtml: (html: string) => IRenderMime.IRenderer;
  state: IRunTableState;
  onStateChange: (state: IRunTableState) => void;
}

/**
 * The runs of a notebook's cell: live where the server has them, else what the notebook remembers.
 */
export function NotebookRuns(props: INotebookRunsProps): JSX.Element {
  const { service, actions, trans, reference, model } = props;
  const homeKey = useHomeKey(service, props.home);
  const obstacle = findObstacle(reference, homeKey, model, trans);
  if (!reference || !model || homeKey === null || obstacle !== null) {
    return (
      <>
        {obstacle === null ? (
          <ConnectionLine service={service} trans={trans} />
        ) : (
          <p className="jp-rf-Output-message" role="note">
            {obstacle}
          </p>
        )}
        {props.html !== null && (
          <StaticRuns renderHtml={props.renderHtml} html={props.html} />
        )}
      </>
    );
  }
  return (
    <>
      <NotebookHeader
        service={service}
        model={model}
        actions={actions}
        trans={trans}
        experiment={reference.experiment}
      />
      <RunTable
        service={service}
        model={model}
        actions={actions}
        trans={trans}
        runIds={reference.runIds ?? undefined}
        variant="wide"
        state={props.state}
        onStateChange={props.onStateChange}
      />
    </>
  );
}

/**
 * Why the runs cannot be shown live, in words.
 */
function findObstacle(
  reference: IRunsReference | null,
  homeKey: string | null,
  model: IRunsModel | null,
  trans: TranslationBundle
): string | null {
  if (!reference) {
    return trans.__('This output does not say which runs it shows.');
  }
  // Older releases refer to runs in the same way.
  if (reference.apiLevel > API_LEVEL) {
    return trans.__(
      'A newer release of RapidFire Lab made this output. Upgrade this one to see the runs live.'
    );
  }
  if (homeKey !== null && homeKey !== reference.homeKey) {
    return trans.__(
      'The runs of experiment %1 belong to another engine home than that of this Jupyter server.',
      reference.experiment
    );
  }
  return model?.problem ? explainError(model.problem, trans) : null;
}
