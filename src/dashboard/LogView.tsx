import { Clipboard } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';
import { HTMLSelect } from '@jupyterlab/ui-components';
import * as React from 'react';

import { explainError } from '../explain';
import { IPage, IPageQuery, IRunsModel } from '../tokens';
import { PanelNote } from '../widgets/PanelNote';
import { ILogLine } from './logPages';
import { useLog } from './useLog';
import { useTail } from './useTail';

interface ILogViewProps<T extends ILogLine> {
  trans: TranslationBundle;
  model: IRunsModel;

  /** Name of the log. */
  label: string;

  /** What it says while it has no lines. */
  empty: string;

  /** Reads a page; has to stay the same function as long as it reads the same log. */
  load(query: IPageQuery): Promise<IPage<T>>;

  /** The four cells of a line, the first of them its time, the last its text. */
  renderLine(line: T): JSX.Element;

  /** A line as it is copied. */
  textOf(line: T): string;
}

/**
 * A log that grows at its end: followed while that is in view, read back a page at a time.
 */
export function LogView<T extends ILogLine>(
  props: ILogViewProps<T>
): JSX.Element {
  const { trans, model, label, load, renderLine, textOf } = props;
  const [runId, setRunId] = React.useState<number | null>(null);
  const id = React.useId();
  const box = React.useRef<HTMLDivElement>(null);
  const { lines, moreBefore, isReady, problem, loadOlder } = useLog(
    load,
    model,
    box
  );
  const ids = Array.from(new Set(lines.map(line => line.run_id)))
    .filter((one): one is number => one !== null)
    .sort((a, b) => a - b);
  const shown = lines.filter(line => runId === null || line.run_id === runId);
  const { following, follow, onScroll } = useTail(box, shown);
  return (
    <div className="jp-rf-Log">
      <div className="jp-rf-Bar">
        <span className="jp-rf-Bar-item">
          <label htmlFor={id}>{trans.__('Run')}</label>
          <HTMLSelect
            id={id}
            value={runId ?? ''}
            onChange={event =>
              setRunId(
                event.currentTarget.value
                  ? Number(event.currentTarget.value)
                  : null
              )
            }
          >
            <option value="">{trans.__('All')}</option>
            {ids.map(one => (
              <option key={one} value={one}>
                {one}
              </option>
            ))}
          </HTMLSelect>
        </span>
        <button
          type="button"
          className="jp-rf-Dashboard-button"
          disabled={!shown.length}
          onClick={() => Clipboard.copyToSystem(shown.map(textOf).join('\n'))}
        >
          {trans.__('Copy')}
        </button>
        {!following && (
          <button
            type="button"
            className="jp-rf-Dashboard-button"
            onClick={follow}
          >
            {trans.__('Go to the newest')}
          </button>
        )}
        {problem !== null && (
          <span className="jp-rf-quiet">
            {trans.__('Not up to date: %1', explainError(problem, trans))}
          </span>
        )}
      </div>
      <div
        className="jp-rf-Log-box"
        role="log"
        aria-label={label}
        tabIndex={0}
        ref={box}
        onScroll={onScroll}
      >
        {moreBefore && (
          <button
            type="button"
            className="jp-rf-Dashboard-button jp-rf-Log-older"
            onClick={() => void loadOlder()}
          >
            {trans.__('Load older')}
          </button>
        )}
        {isReady && !shown.length && <PanelNote title={props.empty} />}
        <div className="jp-rf-Log-lines">
          {shown.map(line => (
            <div className="jp-rf-Log-line" key={line.id}>
              {renderLine(line)}
            </div>
          ))}
        </div>
      </div>
    </div>
  );
}
