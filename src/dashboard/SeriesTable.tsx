import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { summarise } from '../charts/summary';
import { formatValue, knobsText } from '../format';
import { IRunsModel, ISeriesAnswer } from '../tokens';
import { Swatch } from './Swatch';

interface ISeriesTableProps {
  trans: TranslationBundle;
  model: IRunsModel;
  answer: ISeriesAnswer;

  /** Of the runs that are drawn. */
  runIds: ReadonlySet<number>;

  /** Whether to say which metric it is, as one of several. */
  isNamed: boolean;
}

/**
 * The curves of a chart in numbers.
 */
export function SeriesTable(props: ISeriesTableProps): JSX.Element {
  const { trans, model, answer, runIds } = props;
  const runs = new Map(model.runs.map(run => [run.run_id, run]));
  const rows = summarise(answer).filter(row => runIds.has(row.runId));
  return (
    <table className="jp-rf-Grid" aria-label={answer.metric}>
      {props.isNamed && <caption>{answer.metric}</caption>}
      <thead>
        <tr>
          <th scope="col">{trans.__('Run')}</th>
          <th scope="col">{trans.__('Knobs')}</th>
          <th scope="col" className="jp-rf-number">
            {trans.__('Last')}
          </th>
          <th scope="col" className="jp-rf-number">
            {trans.__('Min')}
          </th>
          <th scope="col" className="jp-rf-number">
            {trans.__('Max')}
          </th>
        </tr>
      </thead>
      <tbody>
        {rows.map(({ runId, last, min, max }) => {
          const run = runs.get(runId);
          return (
            <tr key={runId}>
              <th scope="row">
                <Swatch runId={runId} /> {runId}
              </th>
              <td>{run && knobsText(run, model.knobNames)}</td>
              <td className="jp-rf-number">{formatValue(last)}</td>
              <td className="jp-rf-number">{formatValue(min)}</td>
              <td className="jp-rf-number">{formatValue(max)}</td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}
