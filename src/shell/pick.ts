import { InputDialog, Notification } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';

import { formatValue, shortKnob } from '../format';
import { isLegal, shownStatus, statusText } from '../runs';
import { EngineState, IRun } from '../tokens';
import { PASSING } from './notify';
import { ISnapshot } from './snapshot';

/** Operations that commands ask the runs for. */
export type PickedOperation = 'stop' | 'resume' | 'delete' | 'clone';

const SHOWN_KNOBS = 3;

/**
 * Ask which runs an operation is for, among those that it is legal for.
 *
 * @returns The runs; none when there are none, of which the user is told, or when the user cancels.
 */
export async function pickRuns(
  operation: PickedOperation,
  { experiment, runs }: ISnapshot,
  engine: EngineState,
  trans: TranslationBundle
): Promise<IRun[]> {
  if (experiment === null) {
    Notification.info(trans.__('There is no experiment yet.'), PASSING);
    return [];
  }
  const legal = runs.filter(run => isLegal(operation, run));
  if (!legal.length) {
    Notification.info(noneText(operation, experiment, trans), PASSING);
    return [];
  }
  const title = titleText(operation, experiment, trans);
  const labels = legal.map(run => describeRun(run, engine, trans));
  if (operation === 'clone') {
    const { value } = await InputDialog.getItem({ title, items: labels });
    return value === null ? [] : [legal[labels.indexOf(value)]];
  }
  const { showRunPicker } = await import('./RunPicker');
  const picked = await showRunPicker(
    title,
    legal.map((run, i) => ({ runId: run.run_id, label: labels[i] })),
    acceptText(operation, trans),
    trans
  );
  return legal.filter(run => picked.includes(run.run_id));
}

/**
 * A run in one line: its id, status and the knobs that tell it from the others.
 */
export function describeRun(
  run: IRun,
  engine: EngineState,
  trans: TranslationBundle
): string {
  const status = statusText(shownStatus(run, engine), trans);
  const knobs = Object.entries(run.knobs)
    .slice(0, SHOWN_KNOBS)
    .map(([path, value]) => `${shortKnob(path)}=${formatValue(value)}`)
    .join(', ');
  return knobs
    ? trans.__('Run %1: %2 (%3)', run.run_id, status, knobs)
    : trans.__('Run %1: %2', run.run_id, status);
}

function titleText(
  operation: PickedOperation,
  experiment: string,
  trans: TranslationBundle
): string {
  switch (operation) {
    case 'stop':
      return trans.__('Which runs of %1 are to stop?', experiment);
    case 'resume':
      return trans.__('Which runs of %1 are to go on?', experiment);
    case 'delete':
      return trans.__('Which runs of %1 are to be deleted?', experiment);
    case 'clone':
      return trans.__('Which run of %1 is to be cloned?', experiment);
  }
}

function acceptText(
  operation: PickedOperation,
  trans: TranslationBundle
): string {
  switch (operation) {
    case 'stop':
      return trans.__('Stop');
    case 'resume':
      return trans.__('Resume');
    case 'delete':
      return trans.__('Delete…');
    case 'clone':
      return trans.__('Clone…');
  }
}

function noneText(
  operation: PickedOperation,
  experiment: string,
  trans: TranslationBundle
): string {
  switch (operation) {
    case 'stop':
      return trans.__('No run of %1 is training.', experiment);
    case 'resume':
      return trans.__('No run of %1 has stopped or failed.', experiment);
    case 'delete':
    case 'clone':
      return trans.__('%1 has no runs.', experiment);
  }
}
