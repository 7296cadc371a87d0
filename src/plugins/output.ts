import {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

// Light, and needed as soon as a notebook is restored; what it shows is loaded when it is shown.
// eslint-disable-next-line jupyter/prefer-lazy-imports
import { RunsOutput } from '../output/runsOutput';
import { RUNS_MIME_TYPE } from '../output/runsReference';
import { ServerHome } from '../output/serverHome';
import { IRunActions, IRunService } from '../tokens';

// Widgets are at -10 and a kernel's display has one as well: ours outlives the kernel.
const RANK = -20;

/**
 * Shows runs in the outputs of notebooks.
 */
export const outputPlugin: JupyterFrontEndPlugin<void> = {
  id: 'rapidfire-lab:output',
  description: 'Shows runs live in the outputs of notebooks.',
  autoStart: true,
  requires: [IRenderMimeRegistry, IRunService, IRunActions],
  optional: [ITranslator],
  activate: (
    app: JupyterFrontEnd,
    rendermime: IRenderMimeRegistry,
    service: IRunService,
    actions: IRunActions,
    translator: ITranslator | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('rapidfire_lab');
    const home = new ServerHome(service);
    const renderHtml = (html: string) => {
      const renderer = rendermime.createRenderer('text/html');
      const data = { 'text/html': html };
      const model = rendermime.createModel({ data, trusted: false });
      renderer.renderModel(model).catch(console.error);
      return renderer;
    };
    rendermime.addFactory(
      {
        // Of the notebook it takes ids alone, and static HTML that is sanitised.
        safe: true,
        mimeTypes: [RUNS_MIME_TYPE],
        createRenderer: () =>
          new RunsOutput({ service, actions, trans, home, renderHtml })
      },
      RANK
    );
  }
};
