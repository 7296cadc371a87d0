import { TranslationBundle } from '@jupyterlab/translation';
import { launchIcon, ReactWidget } from '@jupyterlab/ui-components';
import { Message } from '@lumino/messaging';
import * as React from 'react';

import { IRunTableState, RunTable } from '../table/RunTable';
import { IRunActions, IRunService } from '../tokens';
import { ActionButton } from '../widgets/ActionButton';
import { EngineLine } from '../widgets/EngineLine';
import { ErrorBoundary } from '../widgets/ErrorBoundary';
import { ExperimentPicker } from '../widgets/ExperimentPicker';
import { useChanges } from '../widgets/useChanges';
import { useRuns } from '../widgets/useRuns';
import { Jobs } from './Jobs';
import { Notices } from './Notices';

/** What a user made of the sidebar: plain JSON, so that it can be kept. */
export interface ISidebarState {
  /** null follows the newest. */
  experiment?: string | null;
  table?: IRunTableState;
}

interface ISidebarProps {
  service: IRunService;
  actions: IRunActions;
  trans: TranslationBundle;
  state?: ISidebarState;
  onStateChange?: (state: ISidebarState) => void;
}

/**
 * Engine, experiment and runs in a panel at the side.
 */
export function Sidebar(props: ISidebarProps): JSX.Element {
  const { service, actions, trans } = props;
  useChanges(service.changed);
  const [state, setState] = React.useState<ISidebarState>(props.state ?? {});
  const experiment = state.experiment ?? null;
  const model = useRuns(service, experiment);
  const change = (part: ISidebarState) => {
    const next = { ...state, ...part };
    setState(next);
    props.onStateChange?.(next);
  };
  return (
    <>
      <EngineLine
        service={service}
        actions={actions}
        trans={trans}
        variant="sidebar"
      />
      <div className="jp-rf-Sidebar-experiment">
        <ExperimentPicker
          experiments={service.experiments}
          value={experiment}
          onChange={name => change({ experiment: name })}
          trans={trans}
        />
        <ActionButton
          icon={launchIcon}
          label={trans.__('Open dashboard')}
          reason={null}
          onClick={() =>
            void actions.openDashboard(model?.experiment ?? experiment)
          }
        />
      </div>
      {model && <Notices model={model} trans={trans} />}
      {model && (
        <Jobs service={service} experiment={model.experiment} trans={trans} />
      )}
      {model && (
        <RunTable
          service={service}
          model={model}
          actions={actions}
          trans={trans}
          variant="sidebar"
          state={state.table}
          onStateChange={table => change({ table })}
        />
      )}
    </>
  );
}

export namespace SidebarWidget {
  export type IOptions = ISidebarProps;
}

/**
 * The sidebar as JupyterLab's shell takes it; icon and caption are up to who adds it.
 */
export class SidebarWidget extends ReactWidget {
  constructor(private _options: SidebarWidget.IOptions) {
    super();
    this.addClass('jp-rf-Sidebar');
    this.node.setAttribute('role', 'region');
    this.node.setAttribute(
      'aria-label',
      _options.trans.__('RapidFire Lab runs')
    );
  }

  protected render(): JSX.Element {
    return (
      <ErrorBoundary trans={this._options.trans}>
        <Sidebar {...this._options} />
      </ErrorBoundary>
    );
  }

  /** The keys go to the filter, or to the first thing there is. */
  protected onActivateRequest(msg: Message): void {
    const target = this.node.querySelector<HTMLElement>(
      'input[type="search"], button, select'
    );
    target?.focus();
  }
}
