import { useEffect, useState } from 'react';

/**
 * A number that changes with the theme of the page, to read its colours again.
 */
export function useTheme(): number {
  const [version, setVersion] = useState(0);
  useEffect(() => {
    const observer = new MutationObserver(() => {
      setVersion(last => last + 1);
    });
    observer.observe(document.body, {
      attributeFilter: ['data-jp-theme-light', 'data-jp-theme-name']
    });
    return () => observer.disconnect();
  }, []);
  return version;
}
