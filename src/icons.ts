import { LabIcon } from '@jupyterlab/ui-components';

// Three runs, each as far as it is, and a spark. `jp-icon3` lets the theme colour the shapes.
const LOGO = `
<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16" viewBox="0 0 24 24">
  <g class="jp-icon3 jp-icon-selectable" fill="#616161">
    <rect x="3" y="4" width="8" height="4" rx="1"/>
    <rect x="3" y="10" width="6" height="4" rx="1"/>
    <rect x="3" y="16" width="9" height="4" rx="1"/>
    <path d="M18 3l-6 10h4l-2 8 7-11h-4l3-7z"/>
  </g>
</svg>`;

/**
 * Stands for RapidFire Lab in tabs, menus, the launcher and the status bar.
 */
export const logoIcon = new LabIcon({
  name: 'rapidfire-lab:logo',
  svgstr: LOGO.trim()
});
