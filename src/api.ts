import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';
import { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import { API_NAMESPACE, requestAPI } from './request';
import {
  IArtifact,
  ICloneCheck,
  IDefinedPlot,
  IEngineStatus,
  IEvent,
  IJob,
  ILogText,
  IMetric,
  IOperation,
  IOperationAnswer,
  IOperationRequest,
  IPage,
  IPageQuery,
  IRunDetail,
  IRunsAnswer,
  ISeriesAnswer,
  ISeriesQuery
} from './tokens';

/** Level of the REST API that this front end was written for. */
export const API_LEVEL = 2;

/**
 * The server extension is of another release than the page, as after an upgrade without a restart.
 */
export class ApiLevelError extends Error {
  constructor(
    readonly serverLevel: number,
    readonly serverVersion: string
  ) {
    super(
      `rapidfire_lab ${serverVersion} speaks API level ${serverLevel}, this page ${API_LEVEL}.`
    );
    this.name = 'ApiLevelError';
  }
}

/**
 * The engine would not make a clone as it was asked for; the message is the engine's own.
 */
export class CloneRefusedError extends Error {
  constructor(problem: string) {
    super(problem);
    this.name = 'CloneRefusedError';
  }
}

/** Where a page of runs goes on. */
export interface IRunsQuery {
  experiment?: string;
  epoch?: string;
  since?: number;

  /** The metric that `trend` shows. */
  metric?: string;
}

/**
 * The REST API of the server extension, one method per route.
 */
export class RestApi {
  constructor(readonly settings: ServerConnection.ISettings) {}

  async engine(): Promise<IEngineStatus> {
    const status = await this._get<IEngineStatus>('engine');
    if (status.api_level !== API_LEVEL) {
      throw new ApiLevelError(status.api_level, status.version);
    }
    return status;
  }

  steerEngine(action: 'start' | 'stop'): Promise<IEngineStatus> {
    return this._post('engine', { action });
  }

  runs(query: IRunsQuery): Promise<IRunsAnswer> {
    return this._get('runs', { ...query });
  }

  run(experiment: string, runId: number): Promise<IRunDetail> {
    return this._get(inExperiment(experiment, 'runs', `${runId}`));
  }

  log(experiment: string, runId: number, offset: number): Promise<ILogText> {
    return this._get(inExperiment(experiment, 'runs', `${runId}`, 'log'), {
      offset
    });
  }

  metrics(experiment: string): Promise<{ metrics: IMetric[] }> {
    return this._get(inExperiment(experiment, 'metrics'));
  }

  series(experiment: string, query: ISeriesQuery): Promise<ISeriesAnswer> {
    const { run_ids: run, ...rest } = query;
    return this._get(inExperiment(experiment, 'series'), { ...rest, run });
  }

  plots(experiment: string): Promise<{ plots: IDefinedPlot[] }> {
    return this._get(inExperiment(experiment, 'plots'));
  }

  events(experiment: string, query: IPageQuery): Promise<IPage<IEvent>> {
    return this._get(inExperiment(experiment, 'events'), { ...query });
  }

  operations(
    experiment: string,
    query: IPageQuery
  ): Promise<IPage<IOperation>> {
    return this._get(inExperiment(experiment, 'operations'), { ...query });
  }

  jobs(experiment: string): Promise<{ jobs: IJob[] }> {
    return this._get(inExperiment(experiment, 'jobs'));
  }

  operate(
    experiment: string,
    request: IOperationRequest & { request_id: string }
  ): Promise<IOperationAnswer> {
    return this._post(inExperiment(experiment, 'ops'), { ...request });
  }

  check(
    experiment: string,
    request: IOperationRequest
  ): Promise<ICloneCheck & { problem: string | null }> {
    return this._post(inExperiment(experiment, 'ops', 'check'), { ...request });
  }

  artifacts(experiment: string): Promise<{ artifacts: IArtifact[] }> {
    return this._get(inExperiment(experiment, 'artifacts'));
  }

  artifactUrl(experiment: string, path: string): string {
    return URLExt.join(
      this.settings.baseUrl,
      API_NAMESPACE,
      inExperiment(experiment, 'artifacts', ...path.split('/'))
    );
  }

  private _get<T>(route: string, query: IQuery = {}): Promise<T> {
    return requestAPI(route + queryString(query), this.settings);
  }

  private _post<T>(
    route: string,
    body: ReadonlyPartialJSONObject | object
  ): Promise<T> {
    return requestAPI(route, this.settings, {
      method: 'POST',
      body: JSON.stringify(body)
    });
  }
}

interface IQuery {
  [name: string]: string | number | number[] | undefined;
}

function inExperiment(name: string, ...parts: string[]): string {
  return ['experiments', name, ...parts].map(encodeURIComponent).join('/');
}

function queryString(query: IQuery): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const item of value === undefined ? [] : [value].flat()) {
      parameters.append(name, `${item}`);
    }
  }
  const text = parameters.toString();
  return text && `?${text}`;
}
