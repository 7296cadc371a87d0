import { TranslationBundle } from '@jupyterlab/translation';
import { Message } from '@lumino/messaging';
import { StackedPanel, Widget } from '@lumino/widgets';

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
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', trans.__('RapidFire Lab'));
    // To take the focus when a command or shortcut shows it; Tab goes on from here.
    this.node.tabIndex = -1;
  }

  setContent(content: Widget): void {
    this.addWidget(content);
    content.show();
  }

  protected onActivateRequest(msg: Message): void {
    if (!this.node.contains(document.activeElement)) {
      this.node.focus();
    }
  }
}
