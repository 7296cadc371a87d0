import { IPlotModule } from './types';

/**
 * Load what draws the charts; a chunk of its own, which those who look at no chart do not pay for.
 */
export function loadPlots(): Promise<IPlotModule> {
  return import(/* webpackChunkName: "charts" */ './plot');
}
