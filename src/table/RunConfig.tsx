import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { exactValue } from '../format';
import { IRun, IRunDetail, IRunService, KnobValue } from '../tokens';
import { flattenConfig } from './flatten';
import { useFetched } from './useFetched';

interface IRunConfigProps {
  detail: IRunDetail;
  run: IRun;
  experiment: string;
  service: IRunService;
  trans: TranslationBundle;
}

/**
 * A run's config; what differs from the parent's, or between the runs, is marked.
 */
export function RunConfig(props: IRunConfigProps): JSX.Element {
  const { detail, run, experiment, service, trans } = props;
  const parent = useFetched(
    async () =>
      run.parent === null ? null : service.run(experiment, run.parent),
    `${experiment}/${run.parent}`
  ).value;
  const before = parent && flattenConfig(parent.config);
  return (
    <div>
      <h4>{trans.__('Config')}</h4>
      <dl className="jp-rf-Facts">
        {Array.from(flattenConfig(detail.config), ([path, value]) => {
          const note = before
            ? changeText(before, path, value, detail.parent, trans)
            : groupText(run, path, trans);
          return (
            <React.Fragment key={path}>
              <dt className={note ? 'jp-mod-changed' : undefined}>{path}</dt>
              <dd className={note ? 'jp-mod-changed' : undefined}>
                {exactValue(value)}
                {note && <span className="jp-rf-Facts-note">{note}</span>}
              </dd>
            </React.Fragment>
          );
        })}
      </dl>
    </div>
  );
}

/**
 * What a clone changed; empty where nothing.
 */
function changeText(
  before: ReadonlyMap<string, KnobValue>,
  path: string,
  value: KnobValue,
  parent: number | null,
  trans: TranslationBundle
): string {
  const old = before.get(path);
  if (old === undefined) {
    return trans.__('not in run %1', parent);
  }
  return JSON.stringify(old) === JSON.stringify(value)
    ? ''
    : trans.__('%1 in run %2', exactValue(old), parent);
}

function groupText(run: IRun, path: string, trans: TranslationBundle): string {
  return path in run.knobs ? trans.__('varies') : '';
}
