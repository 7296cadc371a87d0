import { IRenderMime } from '@jupyterlab/rendermime';
import { Widget } from '@lumino/widgets';
import * as React from 'react';

interface IStaticRunsProps {
  /** Makes a widget of untrusted HTML. */
  renderHtml: (html: string) => IRenderMime.IRenderer;
  html: string;
}

/**
 * The table that the notebook keeps for viewers without code.
 */
export function StaticRuns(props: IStaticRunsProps): JSX.Element {
  const { renderHtml, html } = props;
  const host = React.useRef<HTMLDivElement>(null);
  // A layout effect: a widget wants to be detached while it is still in the document.
  React.useLayoutEffect(() => {
    if (!host.current) {
      return;
    }
    const rendered = renderHtml(html);
    Widget.attach(rendered, host.current);
    return () => rendered.dispose();
  }, [renderHtml, html]);
  return <div className="jp-rf-Output-static" ref={host} />;
}
