import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { intervalBars } from '../charts/intervals';
import { formatValue } from '../format';
import { isCrediblyWorse } from '../races';
import { IRace } from '../tokens';
import { Swatch } from './Swatch';

interface IRaceTableProps {
  race: IRace;
  hidden: ReadonlySet<number>;
  trans: TranslationBundle;
}

/**
 * The intervals of a race in numbers.
 */
export function RaceTable(props: IRaceTableProps): JSX.Element {
  const { race, hidden, trans } = props;
  const { bars } = intervalBars(race, hidden);
  return (
    <table className="jp-rf-Grid" aria-label={race.search}>
      <thead>
        <tr>
          <th scope="col">{trans.__('Run')}</th>
          <NumberHead text={trans.__('Difference')} />
          <NumberHead text={trans.__('From')} />
          <NumberHead text={trans.__('To')} />
          <NumberHead text={trans.__('Places')} />
          <th scope="col">{trans.__('Credibly worse')}</th>
        </tr>
      </thead>
      <tbody>
        {bars.map(({ interval }) => (
          <tr key={interval.run_id}>
            <th scope="row">
              <Swatch runId={interval.run_id} /> {interval.run_id}
            </th>
            <td className="jp-rf-number">{formatValue(interval.difference)}</td>
            <td className="jp-rf-number">{formatValue(interval.low)}</td>
            <td className="jp-rf-number">{formatValue(interval.high)}</td>
            <td className="jp-rf-number">{interval.places}</td>
            <td>
              {isCrediblyWorse(race, interval)
                ? trans.__('yes')
                : trans.__('no')}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function NumberHead({ text }: { text: string }): JSX.Element {
  return (
    <th scope="col" className="jp-rf-number">
      {text}
    </th>
  );
}
