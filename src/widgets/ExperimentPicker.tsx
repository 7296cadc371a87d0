import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { IExperiment } from '../tokens';

interface IExperimentPickerProps {
  experiments: readonly IExperiment[];

  /** Name of the experiment; null follows the newest. */
  value: string | null;
  onChange: (experiment: string | null) => void;

  /** What a visible label refers to, where there is one. */
  id?: string;
  trans: TranslationBundle;
}

// No experiment is called that: names are never empty.
const NEWEST = '';

/**
 * Which experiment is shown.
 */
export function ExperimentPicker(props: IExperimentPickerProps): JSX.Element {
  const { experiments, value, onChange, id, trans } = props;
  const isGone =
    value !== null && !experiments.some(({ name }) => name === value);
  return (
    <select
      className="jp-rf-Select jp-rf-ExperimentPicker"
      id={id}
      aria-label={id === undefined ? trans.__('Experiment') : undefined}
      title={value ?? experiments[0]?.name}
      value={value ?? NEWEST}
      onChange={({ target }) =>
        onChange(target.value === NEWEST ? null : target.value)
      }
    >
      <option value={NEWEST}>{newestText(experiments, trans)}</option>
      {isGone && <option value={value}>{value}</option>}
      {liveFirst(experiments).map(experiment => (
        <option key={experiment.name} value={experiment.name}>
          {optionText(experiment, trans)}
        </option>
      ))}
    </select>
  );
}

/** They come newest first, and stay so among the live ones and among the ended ones. */
function liveFirst(experiments: readonly IExperiment[]): IExperiment[] {
  const isLive = ({ status }: IExperiment) => status === 'live';
  return [
    ...experiments.filter(isLive),
    ...experiments.filter(it => !isLive(it))
  ];
}

function newestText(
  experiments: readonly IExperiment[],
  trans: TranslationBundle
): string {
  return experiments.length
    ? trans.__('Newest: %1', liveFirst(experiments)[0].name)
    : trans.__('Newest experiment');
}

function optionText(
  { name, status, runs }: IExperiment,
  trans: TranslationBundle
): string {
  const count = trans._n('%1 run', '%1 runs', runs);
  return status === 'live'
    ? trans.__('%1 (live, %2)', name, count)
    : trans.__('%1 (ended, %2)', name, count);
}
