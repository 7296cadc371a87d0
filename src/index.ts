import { enginePlugin } from './plugins/engine';

export * from './tokens';

export default [enginePlugin];
