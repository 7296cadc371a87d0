import { downloadIcon } from '@jupyterlab/ui-components';
import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { explainError } from '../explain';
import { IArtifact } from '../tokens';
import { PanelNote } from '../widgets/PanelNote';
import { IPanelProps } from './panel';
import { formatMoment, formatSize } from './times';
import { useArtifacts } from './useArtifacts';

/**
 * The files of an experiment, newest first, to be downloaded.
 */
export function FilesTab(props: IPanelProps): JSX.Element {
  const { service, model, trans, experiment } = props;
  const { artifacts, problem } = useArtifacts(service, model, experiment);
  if (artifacts === null || !artifacts.length) {
    return (
      <PanelNote
        title={
          problem !== null
            ? explainError(problem, trans)
            : artifacts === null
              ? trans.__('Loading the files…')
              : trans.__('No files yet')
        }
      />
    );
  }
  return (
    <div className="jp-rf-Files">
      <table className="jp-rf-Grid" aria-label={trans.__('Files')}>
        <thead>
          <tr>
            <th scope="col">{trans.__('File')}</th>
            <th scope="col">{trans.__('Kind')}</th>
            <th scope="col">{trans.__('Run')}</th>
            <th scope="col" className="jp-rf-number">
              {trans.__('Size')}
            </th>
            <th scope="col">{trans.__('Modified')}</th>
            <th scope="col">{trans.__('Download')}</th>
          </tr>
        </thead>
        <tbody>
          {artifacts.map(artifact => (
            <tr key={artifact.path}>
              <th scope="row" className="jp-rf-Files-path">
                {artifact.path}
              </th>
              <td>{kindText(artifact.kind, trans)}</td>
              <td>{artifact.run_id}</td>
              <td className="jp-rf-number">{formatSize(artifact.size)}</td>
              <td>{formatMoment(artifact.modified)}</td>
              <td>
                <a
                  className="jp-rf-Files-download"
                  href={service.artifactUrl(experiment, artifact)}
                  download={fileName(artifact)}
                  aria-label={trans.__('Download %1', artifact.path)}
                  title={trans.__('Download %1', artifact.path)}
                >
                  <downloadIcon.react tag="span" width="16px" height="16px" />
                </a>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function fileName(artifact: IArtifact): string {
  return artifact.path.split('/').pop() ?? artifact.path;
}

function kindText(kind: IArtifact['kind'], trans: TranslationBundle): string {
  switch (kind) {
    case 'checkpoint':
      return trans.__('Checkpoint');
    case 'metadata':
      return trans.__('Metadata');
    case 'log':
      return trans.__('Log');
    case 'plots':
      return trans.__('Plots');
    case 'prediction':
      return trans.__('Predictions');
    case 'spec':
      return trans.__('Specification');
  }
}
