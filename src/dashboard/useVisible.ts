import { RefObject, useEffect, useState } from 'react';

/**
 * Whether an element is on screen: in a shown page, a shown tab and not scrolled away.
 */
export function useVisible(element: RefObject<Element>): boolean {
  const [inView, setInView] = useState(
    typeof IntersectionObserver === 'undefined'
  );
  const [pageShown, setPageShown] = useState(!document.hidden);
  useEffect(() => {
    const onChange = () => setPageShown(!document.hidden);
    document.addEventListener('visibilitychange', onChange);
    return () => document.removeEventListener('visibilitychange', onChange);
  }, []);
  useEffect(() => {
    if (!element.current || typeof IntersectionObserver === 'undefined') {
      return;
    }
    const observer = new IntersectionObserver(entries => {
      setInView(entries[entries.length - 1].isIntersecting);
    });
    observer.observe(element.current);
    return () => observer.disconnect();
  }, [element]);
  return inView && pageShown;
}
