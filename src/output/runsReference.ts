import { JSONObject, ReadonlyPartialJSONValue } from '@lumino/coreutils';

/** The MIME type of runs in notebooks. */
export const RUNS_MIME_TYPE = 'application/vnd.rapidfire.runs+json';

/**
 * What a notebook keeps of runs: enough to find them again, and nothing about them.
 */
export interface IRunsReference {
  experiment: string;

  /** These and their clones; all of the experiment for null. */
  runIds: readonly number[] | null;

  /** Stands for the engine home that they are in. */
  homeKey: string;

  /** Level of the REST API of the release that showed them. */
  apiLevel: number;
}

/**
 * Read the bundle of an output; null for what is none. Notebooks come from anywhere.
 */
export function readReference(
  data: ReadonlyPartialJSONValue | undefined
): IRunsReference | null {
  if (typeof data !== 'object' || data === null || Array.isArray(data)) {
    return null;
  }
  const { experiment, run_ids, home_key, api_level } = data as JSONObject;
  if (
    typeof experiment !== 'string' ||
    !experiment ||
    typeof home_key !== 'string' ||
    typeof api_level !== 'number' ||
    !(run_ids === null || isRunIds(run_ids))
  ) {
    return null;
  }
  return {
    experiment,
    runIds: run_ids,
    homeKey: home_key,
    apiLevel: api_level
  };
}

function isRunIds(value: unknown): value is number[] {
  return Array.isArray(value) && value.every(id => Number.isSafeInteger(id));
}
