import { TranslationBundle } from '@jupyterlab/translation';
import { Message } from '@lumino/messaging';
import { StackedPanel } from '@lumino/widgets';

import { logoIcon } from '../icons';

/**
 * The place of the sidebar in the shell.
 *
 * It is there from the start, as the layout needs it; its content comes when its kept state is known.
 */
export class SidebarPanel extends StackedPanel {
  constructor(id: string, trans: TranslationBundle) {
    super();
    this.id = id;
    this.addClass('jp-rf-SidebarPanel');
    this.title.caption = trans.__('RapidFire Lab');
    this.title.icon = logoIcon;
  }

  /** The content knows best where the focus belongs. */
  protected onActivateRequest(msg: Message): void {
    this.widgets.forEach(content => content.activate());
  }
}
