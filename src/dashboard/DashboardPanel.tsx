import * as React from 'react';

import { explainError } from '../explain';
import { RunTable } from '../table/RunTable';
import { PanelNote } from '../widgets/PanelNote';
import { ChartsTab } from './ChartsTab';
import { EventLog } from './EventLog';
import { FilesTab } from './FilesTab';
import { KnobsTab } from './KnobsTab';
import { OperationLog } from './OperationLog';
import { IPanelProps } from './panel';

/**
 * What the chosen tab shows, or why there is nothing to show.
 */
export function DashboardPanel(
  props: Omit<IPanelProps, 'experiment'>
): JSX.Element {
  const { service, model, actions, trans, state, setState } = props;
  const { experiment } = model;
  if (model.problem) {
    return (
      <PanelNote title={trans.__('The runs cannot be shown')}>
        {explainError(model.problem, trans)}
      </PanelNote>
    );
  }
  if (!model.isReady) {
    return <PanelNote title={trans.__('Loading the runs…')} />;
  }
  if (experiment === null) {
    return (
      <PanelNote title={trans.__('No experiment yet')}>
        {trans.__(
          'Start one from a notebook: its runs appear here while they train.'
        )}
      </PanelNote>
    );
  }
  const panel = { ...props, experiment };
  switch (state.tab) {
    case 'charts':
      return <ChartsTab {...panel} />;
    case 'runs':
      return (
        <RunTable
          service={service}
          model={model}
          actions={actions}
          trans={trans}
          variant="wide"
          // The header does.
          hidesConnection
          state={state.table ?? undefined}
          onStateChange={table => setState({ table })}
        />
      );
    case 'knobs':
      return <KnobsTab {...panel} />;
    case 'events':
      return <EventLog {...panel} />;
    case 'operations':
      return <OperationLog {...panel} />;
    case 'files':
      return <FilesTab {...panel} />;
  }
}
