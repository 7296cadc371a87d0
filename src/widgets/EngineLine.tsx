import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { explainError } from '../explain';
import { ShownStatus } from '../runs';
import { EngineState, IRunActions, IRunService } from '../tokens';
import { StatusIcon } from './StatusIcon';

interface IEngineLineProps {
  service: IRunService;
  actions: IRunActions;
  trans: TranslationBundle;

  /**
   * The sidebar's has a button for all that can be done, and is silent about the connection, which
   * stands below it. A header's tells of the connection, and only starts an engine.
   */
  variant: 'sidebar' | 'header';
}

/**
 * Whether the engine runs, and the button that changes it.
 */
export function EngineLine(props: IEngineLineProps): JSX.Element {
  const { service, actions, trans, variant } = props;
  const { engine, connection } = service;
  const [isBusy, setBusy] = React.useState(false);
  const isHeader = variant === 'header';
  const isDown = engine === 'not running';
  const isAway = connection !== 'online';
  const hasButton = !isHeader || (isDown && !isAway);
  const toggle = async () => {
    if (isBusy || isAway) {
      return;
    }
    setBusy(true);
    try {
      await (isDown ? actions.startEngine() : actions.stopEngine());
    } finally {
      setBusy(false);
    }
  };
  const { icon, text, caption } =
    (isHeader ? connectionState(service, trans) : null) ??
    engineState(engine, trans);
  return (
    <div className={`jp-rf-EngineLine jp-mod-${variant}`}>
      <span className="jp-rf-Status" data-status={icon} title={caption}>
        <StatusIcon status={icon} />
        <span
          className="jp-rf-Status-word"
          role={isHeader ? 'status' : undefined}
        >
          {text}
        </span>
      </span>
      {hasButton && (
        <button
          type="button"
          className="jp-rf-Button"
          aria-disabled={isBusy || isAway}
          aria-label={
            isDown ? trans.__('Start engine') : trans.__('Shut down engine')
          }
          title={isAway ? trans.__('The server cannot be reached') : undefined}
          onClick={() => void toggle()}
        >
          {isDown ? trans.__('Start') : trans.__('Shut down')}
        </button>
      )}
    </div>
  );
}

interface IShownState {
  icon: ShownStatus;
  text: string;
  caption?: string;
}

/** Why it is not known how the engine is; null if it is. */
function connectionState(
  service: IRunService,
  trans: TranslationBundle
): IShownState | null {
  switch (service.connection) {
    case 'online':
      return null;
    case 'connecting':
      return { icon: 'queued', text: trans.__('Connecting…') };
    case 'offline':
    case 'unavailable':
      return { icon: 'failed', text: explainError(service.problem, trans) };
  }
}

function engineState(
  engine: EngineState,
  trans: TranslationBundle
): IShownState {
  switch (engine) {
    case 'running':
      return {
        icon: 'running',
        text: trans.__('Engine running'),
        caption: trans.__('It trains, whether this page is open or not')
      };
    case 'idle':
      return {
        icon: 'completed',
        text: trans.__('Engine idle'),
        caption: trans.__('It has nothing to train and waits for runs')
      };
    case 'not running':
      return {
        icon: 'interrupted',
        text: trans.__('Engine not running'),
        caption: trans.__('Nothing is trained; runs go on when it starts')
      };
  }
}
