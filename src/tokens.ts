import { Token } from '@lumino/coreutils';

/**
 * What the server knows about the engine: the processes that train.
 */
export interface IEngineStatus {
  /** Version of the Python package on the server. */
  version: string;

  /** Level of the REST API that the server speaks. */
  api_level: number;

  /** Whether an engine is alive, and has runs to train. */
  state: 'running' | 'idle' | 'not running';

  /** Folder that the engine keeps its journal, experiments and logs in. */
  home: string;
}

/**
 * Access to the engine behind this Jupyter server.
 */
export interface IEngineService {
  /**
   * Ask the server for the state of the engine.
   *
   * Rejects with `ServerExtensionMissingError`, `ApiLevelError` or one of
   * `ServerConnection`'s errors; `explainError` turns any of them into words.
   */
  status(): Promise<IEngineStatus>;
}

export const IEngineService = new Token<IEngineService>(
  'rapidfire-lab:IEngineService',
  'Access to the RapidFire Lab engine behind this Jupyter server.'
);
