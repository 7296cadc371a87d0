import { commandsPlugin } from './plugins/commands';
import { dashboardPlugin } from './plugins/dashboard';
import { launcherPlugin } from './plugins/launcher';
import { notificationsPlugin } from './plugins/notifications';
import { outputPlugin } from './plugins/output';
import { runningPlugin } from './plugins/running';
import { servicePlugin } from './plugins/service';
import { sidebarPlugin } from './plugins/sidebar';
import { statusPlugin } from './plugins/status';

export * from './tokens';

export default [
  servicePlugin,
  commandsPlugin,
  sidebarPlugin,
  dashboardPlugin,
  outputPlugin,
  launcherPlugin,
  statusPlugin,
  runningPlugin,
  notificationsPlugin
];
