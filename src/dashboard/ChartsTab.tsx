import * as React from 'react';

import { defaultMetrics } from '../charts/metrics';
import { soloed, toggled } from '../charts/visibility';
import { PanelNote } from '../widgets/PanelNote';
import { ChartsToolbar } from './ChartsToolbar';
import { MetricChart } from './MetricChart';
import { DefinedPlot } from './DefinedPlot';
import { IPanelProps } from './panel';
import { RaceChart } from './RaceChart';
import { RunLegend } from './RunLegend';
import { useMetrics } from './useMetrics';
import { usePlots } from './usePlots';
import { useTheme } from './useTheme';

/**
 * A chart per metric with the curves of all runs, those that model templates have defined, and the
 * legend that they share.
 */
export function ChartsTab(props: IPanelProps): JSX.Element {
  const { service, model, trans, state, setState, experiment } = props;
  const metrics = useMetrics(service, model, experiment);
  const plots = usePlots(service, model, experiment);
  const [paused, setPaused] = React.useState(false);
  const [focus, setFocus] = React.useState<number | null>(null);
  const theme = useTheme();
  const syncKey = React.useId();
  const hidden = React.useMemo(() => new Set(state.hidden), [state.hidden]);
  if (!model.runs.length) {
    return <PanelNote title={trans.__('This experiment has no runs yet')} />;
  }
  const chosen = state.charts ?? defaultMetrics(metrics ?? []);
  const shown = (metrics ?? []).filter(metric => chosen.includes(metric.name));
  const runIds = model.runs.map(run => run.run_id);
  const { log, smoothing } = state;
  const common = { service, model, trans, log, smoothing, hidden };
  const charts = { ...common, focus, paused, theme, syncKey };
  return (
    <div className="jp-rf-Charts">
      <ChartsToolbar
        trans={trans}
        state={state}
        setState={setState}
        metrics={metrics ?? []}
        chosen={chosen}
        paused={paused}
        onPause={setPaused}
      />
      <div className="jp-rf-Charts-body">
        <RunLegend
          model={model}
          trans={trans}
          hidden={hidden}
          onToggle={id => setState({ hidden: toggled(state.hidden, id) })}
          onSolo={id => setState({ hidden: soloed(state.hidden, runIds, id) })}
          onShowAll={() => setState({ hidden: [] })}
          onFocus={setFocus}
        />
        <div className="jp-rf-Charts-grid">
          {metrics !== null && !metrics.length && (
            <PanelNote title={trans.__('No metrics yet')}>
              {trans.__('They appear with the first trained minibatches.')}
            </PanelNote>
          )}
          {plots.map(plot => (
            <DefinedPlot
              {...charts}
              key={JSON.stringify([plot.title, plot.x_axis])}
              plot={plot}
              known={metrics ?? []}
            />
          ))}
          {shown.map(metric => (
            <MetricChart
              {...charts}
              key={`${metric.per} ${metric.name}`}
              metric={metric}
              axis={state.axis}
            />
          ))}
          {model.races
            .filter(race => race.intervals.length > 0)
            .map(race => (
              <RaceChart
                key={race.search}
                race={race}
                hidden={hidden}
                trans={trans}
              />
            ))}
        </div>
      </div>
    </div>
  );
}
