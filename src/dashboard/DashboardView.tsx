import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { IRunActions, IRunService } from '../tokens';
import { useChanges } from '../widgets/useChanges';
import { useRuns } from '../widgets/useRuns';
import { DashboardHeader } from './DashboardHeader';
import { DashboardPanel } from './DashboardPanel';
import { IDashboardState, TABS } from './dashboardState';
import { tabLabel } from './tabLabel';
import { Tabs } from './Tabs';

interface IDashboardViewProps {
  service: IRunService;
  actions: IRunActions;
  trans: TranslationBundle;
  state: IDashboardState;
  setState(change: Partial<IDashboardState>): void;

  /** Told which experiment is shown, also while the newest is followed. */
  onExperiment(name: string | null): void;
}

/**
 * Everything in a dashboard.
 */
export function DashboardView(props: IDashboardViewProps): JSX.Element {
  const { service, actions, trans, state, setState, onExperiment } = props;
  useChanges(service.changed);
  const model = useRuns(service, state.experiment);
  useChanges(model?.changed);
  const shown = model?.experiment ?? state.experiment;
  React.useEffect(() => onExperiment(shown), [onExperiment, shown]);
  const id = React.useId();
  return (
    <>
      <DashboardHeader
        service={service}
        actions={actions}
        trans={trans}
        chosen={state.experiment}
        shown={shown}
        onChoose={experiment => setState({ experiment })}
      />
      <Tabs
        label={trans.__('Views of the experiment')}
        id={id}
        tabs={TABS.map(tab => ({ id: tab, label: tabLabel(tab, trans) }))}
        selected={state.tab}
        onSelect={tab => setState({ tab })}
      />
      <div
        className="jp-rf-Dashboard-panel"
        role="tabpanel"
        id={`${id}-panel`}
        aria-labelledby={`${id}-${state.tab}`}
        tabIndex={0}
        data-tab={state.tab}
      >
        {model && (
          <DashboardPanel
            // Nothing of one experiment stays behind in the next.
            key={shown ?? ''}
            service={service}
            model={model}
            actions={actions}
            trans={trans}
            state={state}
            setState={setState}
          />
        )}
      </div>
    </>
  );
}
