import { IRun } from './tokens';

/**
 * What buttons, menus and commands do with runs. Errors are shown to the user, never thrown.
 */
export interface IRunActions {
  stop(experiment: string, runs: readonly IRun[]): Promise<void>;
  resume(experiment: string, runs: readonly IRun[]): Promise<void>;

  /** Asks first, naming what will be deleted. */
  delete(experiment: string, runs: readonly IRun[]): Promise<void>;

  /** Opens the Clone-Modify dialog. */
  clone(experiment: string, run: IRun): Promise<void>;

  startEngine(): Promise<void>;

  /** Asks first where runs are active. */
  stopEngine(): Promise<void>;

  /** Opens the dashboard in the main area; of the newest experiment for null. */
  openDashboard(experiment: string | null): Promise<void>;
}
