import { TranslationBundle } from '@jupyterlab/translation';
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';

import { CloneRefusedError } from '../api';
import { explainError } from '../explain';
import { IOperationAnswer, IRun, IRunDetail, IRunService } from '../tokens';
import {
  cloneRequest,
  fieldsInMessage,
  ICloneReading,
  readForm
} from './cloneReading';
import { ICloneForm, openForm } from './formState';

/** Milliseconds without typing after which the engine is asked. */
export const CHECK_DELAY = 400;

/** How the form stands with the engine. */
export type CloneCheck =
  | { state: 'unasked' | 'asking' | 'submitting' }
  | { state: 'accepted'; count: number }
  | {
      state: 'refused';
      error: unknown;

      /** What was asked: whether it could be done, or to do it. */
      asked: 'check' | 'submission';
    };

/**
 * The state of one Clone-Modify dialog: loads the parent, has the engine check what is entered,
 * and asks it for the clones.
 */
export class CloneModel implements IDisposable {
  constructor(
    readonly service: IRunService,
    readonly experiment: string,
    readonly run: IRun,
    readonly siblings: readonly IRun[]
  ) {
    this._engine = service.engine;
    service.changed.connect(this._onServiceChanged, this);
  }

  /** Emitted when any of the properties below changed. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Emitted with the clones once they are made. */
  get submitted(): ISignal<this, IOperationAnswer> {
    return this._submitted;
  }

  /** The parent with its config; null until it is there. */
  get parent(): IRunDetail | null {
    return this._parent;
  }

  /** Why the parent could not be loaded; null when all is well. */
  get problem(): unknown {
    return this._problem;
  }

  /** Null until the parent is there. */
  get form(): ICloneForm | null {
    return this._form;
  }

  get reading(): ICloneReading | null {
    return this._reading;
  }

  get check(): CloneCheck {
    return this._check;
  }

  /**
   * Whether it is known that the engine would refuse what is entered. An engine or a server that did
   * not answer has refused nothing, and what stood in the way of a submission may have gone since.
   */
  get isWrong(): boolean {
    const check = this._check;
    return (
      !!this._reading?.problems.size ||
      (check.state === 'refused' &&
        check.asked === 'check' &&
        check.error instanceof CloneRefusedError)
    );
  }

  /** Ids of the fields that are to be corrected. */
  wrongFields(trans: TranslationBundle): string[] {
    if (!this._reading) {
      return [];
    }
    const wrong = [...this._reading.problems.keys()];
    return this._check.state === 'refused'
      ? [
          ...wrong,
          ...fieldsInMessage(
            explainError(this._check.error, trans),
            this._reading
          ).map(({ id }) => id)
        ]
      : wrong;
  }

  /** The request under way, if any: it goes on after the dialog is closed. */
  get submission(): Promise<IOperationAnswer> | null {
    return this._submission;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    this._isDisposed = true;
    window.clearTimeout(this._timer);
    Signal.clearData(this);
  }

  async load(): Promise<void> {
    this._problem = null;
    this._changed.emit();
    try {
      this._parent = await this.service.run(this.experiment, this.run.run_id);
      this._form = openForm(this._parent.config);
      this._reading = readForm(this._form);
    } catch (error) {
      this._problem = error;
    }
    if (!this.isDisposed) {
      this._changed.emit();
    }
  }

  /** Take over what the user has entered, and have it checked once the typing pauses. */
  edit(change: (form: ICloneForm) => ICloneForm): void {
    if (!this._form || this._submission) {
      return;
    }
    this._form = change(this._form);
    this._reading = readForm(this._form);
    this._scheduleCheck();
    this._changed.emit();
  }

  /**
   * Ask for the clones, once; what goes wrong becomes the state of `check`.
   *
   * @returns Whether the engine was asked.
   */
  submit(): boolean {
    const reading = this._reading;
    if (this._submission || !this._form || !reading) {
      return false;
    }
    if (reading.problems.size || !reading.count) {
      return false;
    }
    this._forgetCheck();
    this._submission = this.service.operate(
      this.experiment,
      cloneRequest(this.run.run_id, this._form, reading)
    );
    this._setCheck({ state: 'submitting' });
    void this._submission.then(
      answer => {
        this._submitted.emit(answer);
      },
      error => {
        this._submission = null;
        this._setCheck({ state: 'refused', error, asked: 'submission' });
      }
    );
    return true;
  }

  private _scheduleCheck(): void {
    this._forgetCheck();
    this._check = { state: 'unasked' };
    const { problems, count } = this._reading!;
    if (!problems.size && count && this.service.engine !== 'not running') {
      this._timer = window.setTimeout(() => {
        void this._ask();
      }, CHECK_DELAY);
    }
  }

  /** Drop the question that is planned, and the answer to the one that is under way. */
  private _forgetCheck(): void {
    window.clearTimeout(this._timer);
    this._asked++;
  }

  private async _ask(): Promise<void> {
    const asked = ++this._asked;
    this._setCheck({ state: 'asking' });
    const request = cloneRequest(this.run.run_id, this._form!, this._reading!);
    let check: CloneCheck;
    try {
      const answer = await this.service.checkClone(this.experiment, request);
      check = { state: 'accepted', count: answer.clones.length };
    } catch (error) {
      check = { state: 'refused', error, asked: 'check' };
    }
    if (asked === this._asked) {
      this._setCheck(check);
    }
  }

  private _setCheck(check: CloneCheck): void {
    this._check = check;
    if (!this.isDisposed) {
      this._changed.emit();
    }
  }

  private _onServiceChanged(): void {
    const { engine } = this.service;
    if (engine === this._engine) {
      return;
    }
    const wasMissing = this._engine === 'not running';
    this._engine = engine;
    if (wasMissing && this._form && !this._submission) {
      this._scheduleCheck();
    }
    this._changed.emit();
  }

  private _asked = 0;
  private _changed = new Signal<this, void>(this);
  private _check: CloneCheck = { state: 'unasked' };
  private _engine: string;
  private _form: ICloneForm | null = null;
  private _isDisposed = false;
  private _parent: IRunDetail | null = null;
  private _problem: unknown = null;
  private _reading: ICloneReading | null = null;
  private _submission: Promise<IOperationAnswer> | null = null;
  private _submitted = new Signal<this, IOperationAnswer>(this);
  private _timer = 0;
}
