import { RefObject, useEffect, useState } from 'react';

/**
 * The width of an element's content in whole pixels; 0 while it is not shown.
 */
export function useWidth(element: RefObject<HTMLElement>): number {
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const target = element.current;
    if (!target || typeof ResizeObserver === 'undefined') {
      return;
    }
    const observer = new ResizeObserver(() => {
      // A hidden tab has no width; the last one still fits when it comes back.
      setWidth(last => Math.floor(target.clientWidth) || last);
    });
    observer.observe(target);
    return () => observer.disconnect();
  }, [element]);
  return width;
}
