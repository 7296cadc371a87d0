import { HTMLSelect } from '@jupyterlab/ui-components';
import * as React from 'react';

import { comparable, knobRows } from '../charts/knobRows';
import { knobLabels } from '../format';
import { PanelNote } from '../widgets/PanelNote';
import { KnobScatter } from './KnobScatter';
import { KnobTable } from './KnobTable';
import { IKnobViewProps } from './knobView';
import { IPanelProps } from './panel';
import { ParallelCoordinates } from './ParallelCoordinates';
import { TableToggle } from './TableToggle';

/**
 * What the knobs did: the values that differ between runs, held against a metric.
 */
export function KnobsTab(props: IPanelProps): JSX.Element {
  const { model, trans, state, setState } = props;
  const id = React.useId();
  const [asTable, setAsTable] = React.useState(false);
  const [focus, setFocus] = React.useState<number | null>(null);
  const metrics = comparable(model);
  const wanted = [state.metric, model.metric, metrics[0]];
  const metric = wanted.find(name => name && metrics.includes(name)) ?? null;
  const knobs = model.knobNames;
  if (model.runs.length < 2) {
    return (
      <PanelNote title={trans.__('Nothing to compare yet')}>
        {trans.__('Two runs are needed: clone this one with another knob.')}
      </PanelNote>
    );
  }
  if (!knobs.length) {
    return (
      <PanelNote title={trans.__('No knob differs between the runs')}>
        {trans.__('Clone a run and change one to see what it does.')}
      </PanelNote>
    );
  }
  if (metric === null) {
    return (
      <PanelNote title={trans.__('No metric yet')}>
        {trans.__('It appears with the first trained minibatches.')}
      </PanelNote>
    );
  }
  const labels = knobLabels(knobs);
  const rows = knobRows(model.runs, metric);
  const knob = knobs.find(name => name === state.knob) ?? knobs[0];
  const view: IKnobViewProps = {
    trans,
    rows,
    knobs,
    labels,
    metric,
    focus,
    onFocus: setFocus
  };
  const isScatter = state.knobView === 'scatter';
  const left = model.runs.length - rows.length;
  return (
    <div className="jp-rf-Knobs">
      <div
        className="jp-rf-Bar"
        role="group"
        aria-label={trans.__('Knob view options')}
      >
        <span className="jp-rf-Bar-item">
          <label htmlFor={`${id}-view`}>{trans.__('View')}</label>
          <HTMLSelect
            id={`${id}-view`}
            value={state.knobView}
            onChange={event =>
              setState({
                knobView:
                  event.currentTarget.value === 'scatter'
                    ? 'scatter'
                    : 'parallel'
              })
            }
          >
            <option value="parallel">{trans.__('All knobs')}</option>
            <option value="scatter">{trans.__('One knob')}</option>
          </HTMLSelect>
        </span>
        {isScatter && (
          <span className="jp-rf-Bar-item">
            <label htmlFor={`${id}-knob`}>{trans.__('Knob')}</label>
            <HTMLSelect
              id={`${id}-knob`}
              value={knob}
              onChange={event => setState({ knob: event.currentTarget.value })}
            >
              {knobs.map(name => (
                <option key={name} value={name}>
                  {labels.get(name)}
                </option>
              ))}
            </HTMLSelect>
          </span>
        )}
        <span className="jp-rf-Bar-item">
          <label htmlFor={`${id}-metric`}>{trans.__('Metric')}</label>
          <HTMLSelect
            id={`${id}-metric`}
            value={metric}
            onChange={event => setState({ metric: event.currentTarget.value })}
          >
            {metrics.map(name => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </HTMLSelect>
        </span>
        <TableToggle
          trans={trans}
          asTable={asTable}
          onToggle={setAsTable}
          className="jp-rf-Dashboard-button"
        />
        {!asTable && (
          <span className="jp-rf-Bar-item jp-rf-quiet" aria-hidden="true">
            {trans.__('worst')}
            <span className="jp-rf-Knobs-ramp" />
            {trans.__('best')}
          </span>
        )}
      </div>
      {asTable ? (
        <KnobTable {...view} />
      ) : isScatter ? (
        <KnobScatter {...view} knob={knob} />
      ) : (
        <ParallelCoordinates {...view} />
      )}
      {left > 0 && (
        <p className="jp-rf-quiet">
          {trans._n(
            '%1 run has no value of this metric yet.',
            '%1 runs have no value of this metric yet.',
            left
          )}
        </p>
      )}
    </div>
  );
}
