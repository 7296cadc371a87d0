import { Dialog, showDialog } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import * as React from 'react';

/** A run, in the words of a list to choose from. */
interface IChoice {
  runId: number;
  label: string;
}

/**
 * Ask for one or more runs.
 *
 * @param title - What will be done with them, as a question.
 * @returns Their ids; nothing when the user cancels.
 */
export async function showRunPicker(
  title: string,
  choices: readonly IChoice[],
  acceptLabel: string,
  trans: TranslationBundle
): Promise<number[]> {
  const result = await showDialog({
    title,
    body: new RunPicker(title, choices),
    buttons: [
      Dialog.cancelButton({ label: trans.__('Cancel') }),
      Dialog.okButton({ label: acceptLabel })
    ],
    focusNodeSelector: 'input'
  });
  return (result.button.accept && result.value) || [];
}

/**
 * Runs with a check box each; with one run alone, it is checked.
 */
export class RunPicker
  extends ReactWidget
  implements Dialog.IBodyWidget<number[]>
{
  constructor(
    private readonly _title: string,
    private readonly _choices: readonly IChoice[]
  ) {
    super();
    this.addClass('jp-rf-RunPicker');
    this._chosen = new Set(
      _choices.length === 1 ? [_choices[0].runId] : undefined
    );
  }

  /** In the order of the list. */
  getValue(): number[] {
    return this._choices
      .map(choice => choice.runId)
      .filter(runId => this._chosen.has(runId));
  }

  protected render(): JSX.Element {
    return (
      <fieldset className="jp-rf-RunPicker-list" aria-label={this._title}>
        {this._choices.map(({ runId, label }) => (
          <label key={runId} className="jp-rf-RunPicker-run">
            <input
              type="checkbox"
              defaultChecked={this._chosen.has(runId)}
              onChange={event => this._choose(runId, event.target.checked)}
            />
            {label}
          </label>
        ))}
      </fieldset>
    );
  }

  private _choose(runId: number, isChosen: boolean): void {
    if (isChosen) {
      this._chosen.add(runId);
    } else {
      this._chosen.delete(runId);
    }
  }

  private readonly _chosen: Set<number>;
}
