import { IRenderMime } from '@jupyterlab/rendermime';
import { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget, UseSignal } from '@jupyterlab/ui-components';
import { JSONExt } from '@lumino/coreutils';
import { Message } from '@lumino/messaging';
import * as React from 'react';

import type { IRunTableState } from '../table/RunTable';
import { IRunActions, IRunService, IRunsModel } from '../tokens';
import { ErrorBoundary } from '../widgets/ErrorBoundary';
import { IRunsReference, readReference, RUNS_MIME_TYPE } from './runsReference';
import { ServerHome } from './serverHome';

// Loaded with the first output: the page starts without it.
const NotebookRuns = React.lazy(async () => ({
  default: (await import('./NotebookRuns')).NotebookRuns
}));

export namespace RunsOutput {
  export interface IOptions {
    service: IRunService;
    actions: IRunActions;
    trans: TranslationBundle;
    home: ServerHome;

    /** Makes a widget of untrusted HTML. */
    renderHtml: (html: string) => IRenderMime.IRenderer;
  }
}

/**
 * Runs in a notebook's output, from the server: whatever becomes of the kernel, they stay live.
 */
export class RunsOutput extends ReactWidget implements IRenderMime.IRenderer {
  constructor(private readonly _options: RunsOutput.IOptions) {
    super();
    this.addClass('jp-rf-Output');
    // Keys pressed on our buttons are not meant for the notebook, where "d d" deletes the cell.
    this.node.dataset.lmSuppressShortcuts = '';
  }

  /**
   * Show a bundle. The kernel sends the same one again and again for the sake of its static table:
   * what the user does with the live one must not suffer.
   */
  async renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    const reference = readReference(model.data[RUNS_MIME_TYPE]);
    const html = model.data['text/html'];
    this._html = html === undefined ? null : String(html);
    if (!JSONExt.deepEqual(toJson(reference), toJson(this._reference))) {
      this._reference = reference;
      this._release();
      this._shown = null;
      if (this.isVisible) {
        this._acquire();
      }
    }
    this.update();
  }

  dispose(): void {
    if (!this.isDisposed) {
      this._release();
      super.dispose();
    }
  }

  protected render(): JSX.Element {
    const { service, trans } = this._options;
    return (
      <ErrorBoundary trans={trans}>
        <React.Suspense fallback={null}>
          <UseSignal signal={service.changed}>
            {() => this._renderRuns()}
          </UseSignal>
        </React.Suspense>
      </ErrorBoundary>
    );
  }

  protected onUpdateRequest(msg: Message): void {
    // Notebooks detach the cells that are scrolled out of view, and still update their outputs.
    if (this.isAttached) {
      super.onUpdateRequest(msg);
    }
  }

  protected onAfterAttach(msg: Message): void {
    this._acquire();
    super.onAfterAttach(msg);
  }

  protected onBeforeDetach(msg: Message): void {
    super.onBeforeDetach(msg);
    this._release();
  }

  protected onAfterShow(msg: Message): void {
    this._acquire();
    super.onAfterShow(msg);
    this.update();
  }

  protected onBeforeHide(msg: Message): void {
    this._release();
    super.onBeforeHide(msg);
  }

  private _renderRuns(): JSX.Element {
    return (
      <NotebookRuns
        {...this._options}
        reference={this._reference}
        model={this._shown}
        html={this._html}
        state={this._state}
        onStateChange={state => {
          this._state = state;
          this.update();
        }}
      />
    );
  }

  private _acquire(): void {
    if (this._handle || !this._reference || !this.isVisible) {
      return;
    }
    this._handle = this._options.service.watch(this._reference.experiment);
    this._handle.changed.connect(this._onChanged, this);
    this._onChanged();
  }

  private _release(): void {
    this._handle?.dispose();
    this._handle = null;
  }

  /** A new handle may know nothing yet: until it does, the runs of the one before stay in view. */
  private _onChanged(): void {
    if (this._handle && (this._handle.isReady || !this._shown)) {
      this._shown = this._handle;
    }
    this.update();
  }

  private _handle: IRunsModel | null = null;
  private _html: string | null = null;
  private _reference: IRunsReference | null = null;
  private _shown: IRunsModel | null = null;
  private _state: IRunTableState = {};
}

function toJson(reference: IRunsReference | null) {
  return (
    reference && { ...reference, runIds: reference.runIds?.slice() ?? null }
  );
}
