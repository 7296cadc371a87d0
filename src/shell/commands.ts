import { Notification } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';
import {
  copyIcon,
  deleteIcon,
  runIcon,
  stopIcon
} from '@jupyterlab/ui-components';
import { CommandRegistry } from '@lumino/commands';
import { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import { DisposableSet, IDisposable } from '@lumino/disposable';

import { IEngineStatus, IRun, IRunService } from '../tokens';
import { RunActions } from './actions';
import { experimentIn, experimentSchema, runsSchema } from './commandArgs';
import { CommandIDs } from './commandIDs';
import { attempt, PASSING } from './notify';
import { PickedOperation, pickRuns } from './pick';
import { readRuns } from './snapshot';

/** What the commands work with. */
interface ICommandContext {
  commands: CommandRegistry;
  service: IRunService;
  actions: RunActions;
  trans: TranslationBundle;
}

const NO_ARGS = { type: 'object', properties: {} };

/**
 * Register the commands that concern the engine.
 */
export function addEngineCommands(context: ICommandContext): IDisposable {
  const { actions, commands, service, trans } = context;
  const registered = new DisposableSet();
  registered.add(
    commands.addCommand(CommandIDs.showEngine, {
      label: trans.__('RapidFire Lab: Show Engine Status'),
      caption: trans.__('Show whether the engine that trains is running'),
      describedBy: { args: NO_ARGS },
      execute: () =>
        attempt(
          async () => announce(await service.status(), trans),
          service,
          trans
        )
    })
  );
  registered.add(
    commands.addCommand(CommandIDs.startEngine, {
      label: trans.__('RapidFire Lab: Start Engine'),
      caption: trans.__('Start the engine; runs that it left go on'),
      icon: runIcon,
      describedBy: { args: NO_ARGS },
      isEnabled: () => service.engine === 'not running',
      execute: () => actions.startEngine()
    })
  );
  registered.add(
    commands.addCommand(CommandIDs.stopEngine, {
      label: trans.__('RapidFire Lab: Stop Engine…'),
      caption: trans.__(
        'Save what the runs have learnt, and stop the engine until it is started again'
      ),
      icon: stopIcon,
      describedBy: { args: NO_ARGS },
      isEnabled: () => service.engine !== 'not running',
      execute: () => actions.stopEngine()
    })
  );
  return registered;
}

/**
 * Register the commands that concern runs. Those that are not told which runs ask for them.
 */
export function addRunCommands(context: ICommandContext): IDisposable {
  const { actions, commands, service, trans } = context;
  const hasExperiment = () => service.experiments.length > 0;
  const isTraining = () => service.engine === 'running';
  const describedBy = { args: runsSchema(trans) };
  const registered = new DisposableSet();
  registered.add(
    commands.addCommand(CommandIDs.stopRuns, {
      label: trans.__('RapidFire Lab: Stop Runs…'),
      caption: trans.__('Stop runs after their present minibatch'),
      icon: stopIcon,
      describedBy,
      isEnabled: isTraining,
      execute: args =>
        withChosen(context, 'stop', args, (experiment, runs) =>
          actions.stop(experiment, runs)
        )
    })
  );
  registered.add(
    commands.addCommand(CommandIDs.resumeRuns, {
      label: trans.__('RapidFire Lab: Resume Runs…'),
      caption: trans.__('Let stopped and failed runs go on'),
      icon: runIcon,
      describedBy,
      isEnabled: hasExperiment,
      execute: args =>
        withChosen(context, 'resume', args, (experiment, runs) =>
          actions.resume(experiment, runs)
        )
    })
  );
  registered.add(
    commands.addCommand(CommandIDs.cloneRun, {
      label: trans.__('RapidFire Lab: Clone Run…'),
      caption: trans.__('Start a changed copy of a run'),
      icon: copyIcon,
      describedBy,
      isEnabled: hasExperiment,
      execute: args =>
        withChosen(context, 'clone', args, (experiment, [run]) =>
          actions.clone(experiment, run)
        )
    })
  );
  registered.add(
    commands.addCommand(CommandIDs.deleteRuns, {
      label: trans.__('RapidFire Lab: Delete Runs…'),
      caption: trans.__('Delete runs with all that they have learnt'),
      icon: deleteIcon,
      describedBy,
      isEnabled: hasExperiment,
      execute: args =>
        withChosen(context, 'delete', args, (experiment, runs) =>
          actions.delete(experiment, runs)
        )
    })
  );
  registered.add(
    commands.addCommand(CommandIDs.cancelAll, {
      label: trans.__('RapidFire Lab: Stop All Runs'),
      caption: trans.__('Stop all runs that train or wait for their turn'),
      icon: stopIcon,
      describedBy: { args: experimentSchema(trans) },
      isEnabled: isTraining,
      execute: args => stopAll(context, args)
    })
  );
  return registered;
}

function withChosen(
  context: ICommandContext,
  operation: PickedOperation,
  args: ReadonlyPartialJSONObject,
  act: (experiment: string, runs: readonly IRun[]) => Promise<void>
): Promise<void> {
  const { service, trans } = context;
  const task = async () => {
    const snapshot = await readRuns(service, experimentIn(args));
    const { experiment } = snapshot;
    const runs = Array.isArray(args.run_ids)
      ? namedRuns(args.run_ids, snapshot.runs, trans)
      : await pickRuns(operation, snapshot, service.engine, trans);
    if (experiment !== null && runs.length) {
      await act(experiment, runs);
    }
  };
  return attempt(task, service, trans);
}

function namedRuns(
  runIds: readonly unknown[],
  runs: readonly IRun[],
  trans: TranslationBundle
): IRun[] {
  return runIds.map(id => {
    const run = runs.find(({ run_id }) => run_id === id);
    if (!run) {
      throw new Error(trans.__('There is no run %1.', String(id)));
    }
    return run;
  });
}

function stopAll(
  { actions, service, trans }: ICommandContext,
  args: ReadonlyPartialJSONObject
): Promise<void> {
  const task = async () => {
    const { experiment } = await readRuns(service, experimentIn(args));
    if (experiment !== null) {
      await actions.stopAll(experiment);
    }
  };
  return attempt(task, service, trans);
}

function announce(status: IEngineStatus, trans: TranslationBundle): void {
  switch (status.state) {
    case 'running':
      Notification.success(
        trans.__(
          'The RapidFire Lab engine is running (version %1, home %2).',
          status.version,
          status.home
        ),
        PASSING
      );
      break;
    case 'idle':
      Notification.info(
        trans.__(
          'The RapidFire Lab engine is idle: it has no run to train (version %1, home %2).',
          status.version,
          status.home
        ),
        PASSING
      );
      break;
    case 'not running':
      Notification.info(
        trans.__(
          'The RapidFire Lab engine is not running. It starts with the first experiment (version %1, home %2).',
          status.version,
          status.home
        ),
        PASSING
      );
      break;
  }
}
