import { Dialog } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';
import { Message } from '@lumino/messaging';

import { IOperationAnswer, IRun, IRunService } from '../tokens';
import { CloneBody } from './CloneBody';
import { CloneModel } from './cloneModel';
import { focusKnob } from './focusKnob';

/** Positions of the buttons. */
const SUBMIT = 1;

/**
 * Let the user change what a run's clones are to differ in, and have the engine make them.
 *
 * @param siblings - Other runs of the experiment; their values are suggested.
 *
 * @returns What the engine made; null when the user left it. A dialog that is closed while the
 * engine is being asked does not take the question back: then this gives the answer, or rejects.
 */
export async function showCloneDialog(
  service: IRunService,
  experiment: string,
  run: IRun,
  siblings: readonly IRun[],
  trans: TranslationBundle
): Promise<IOperationAnswer | null> {
  const model = new CloneModel(service, experiment, run, siblings);
  const dialog = new CloneDialog(model, trans);
  void model.load();
  await dialog.launch();
  return model.submission;
}

/**
 * The Clone-Modify dialog, which owns the model. It stays open until the engine has made the clones.
 */
class CloneDialog extends Dialog<unknown> {
  constructor(model: CloneModel, trans: TranslationBundle) {
    super({
      title: trans.__('Clone run %1', model.run.run_id),
      body: new CloneBody(model, trans),
      buttons: [
        Dialog.cancelButton({ label: trans.__('Cancel') }),
        Dialog.okButton({ label: trans.__('Make clone') })
      ],
      defaultButton: SUBMIT
    });
    this.addClass('jp-rf-CloneDialog');
    this.node.setAttribute(
      'aria-label',
      trans.__('Clone run %1', model.run.run_id)
    );
    this._model = model;
    this._trans = trans;
    model.changed.connect(this._showState, this);
    model.submitted.connect(() => super.resolve(SUBMIT), this);
    this._showState();
  }

  dispose(): void {
    this._model.dispose();
    super.dispose();
  }

  /** Submits, instead of closing, when the button that makes clones is meant. */
  resolve(index?: number): void {
    if ((index ?? SUBMIT) !== SUBMIT) {
      super.resolve(index);
    } else if (this._model.isWrong || !this._model.submit()) {
      const [wrong] = this._model.wrongFields(this._trans);
      if (wrong !== undefined) {
        focusKnob(this.node, wrong);
      }
    }
  }

  /** The state of the button follows the model, not the browser's validation. */
  protected _checkValidation(): void {
    return;
  }

  /** A slip of the mouse beside the dialog must not cost what was entered. */
  protected _evtClick(event: MouseEvent): void {
    if (event.target !== this.node) {
      super._evtClick(event);
    }
  }

  protected _evtKeydown(event: KeyboardEvent): void {
    const target = event.target as HTMLElement;
    const isAdding = target.closest('.jp-rf-AddKnob') !== null;
    if (isAdding && (event.key === 'Enter' || event.key === 'Escape')) {
      return;
    }
    if (event.key === 'Enter' && isOwn(target)) {
      return;
    }
    if (event.key === 'Tab') {
      this._keepFocus(event);
      return;
    }
    super._evtKeydown(event);
  }

  protected onAfterAttach(msg: Message): void {
    super.onAfterAttach(msg);
    this._showState();
  }

  /** The dialog's own trap knows only the fields that were there when it opened. */
  private _keepFocus(event: KeyboardEvent): void {
    const controls = [
      ...this.node.querySelectorAll<HTMLElement>(
        'input, select, textarea, button, a[href]'
      )
    ].filter(control => !control.hasAttribute('disabled'));
    const [first] = controls;
    const last = controls[controls.length - 1];
    const [edge, other] = event.shiftKey ? [first, last] : [last, first];
    if (document.activeElement === edge) {
      event.preventDefault();
      other.focus();
    }
  }

  private _showState(): void {
    const { reading, check } = this._model;
    const [cancel, submit] = this.node.querySelectorAll<HTMLButtonElement>(
      '.jp-Dialog-footerButtons button'
    );
    const trans = this._trans;
    const count = Math.max(1, reading?.count ?? 1);
    const isAsking = check.state === 'submitting';
    setLabel(submit, trans._n('Make clone', 'Make %1 clones', count));
    // What was sent cannot be taken back.
    setLabel(cancel, isAsking ? trans.__('Close') : trans.__('Cancel'));
    const isEmpty = !reading?.count && !reading?.problems.size;
    // Not `disabled`: a button that has the focus would lose it, and the dialog its keys.
    const isBlocked = isAsking || isEmpty || this._model.isWrong;
    submit.setAttribute('aria-disabled', `${isBlocked}`);
    submit.title =
      reading && isEmpty
        ? trans.__('Nothing is changed yet: change at least one knob.')
        : '';
  }

  private readonly _model: CloneModel;
  private readonly _trans: TranslationBundle;
}

/** Whether an element does something of its own on Enter. */
function isOwn(target: HTMLElement): boolean {
  return (
    target instanceof HTMLTextAreaElement ||
    (target instanceof HTMLButtonElement &&
      !target.closest('.jp-Dialog-footer'))
  );
}

function setLabel(button: HTMLButtonElement, text: string): void {
  const label = button.querySelector('.jp-Dialog-buttonLabel');
  if (label) {
    label.textContent = text;
    label.setAttribute('aria-label', text);
  }
}
