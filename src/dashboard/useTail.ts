import { RefObject, useLayoutEffect, useRef, useState } from 'react';

/** So near to the end counts as there, in pixels. */
const NEAR = 24;

interface IPlace {
  first: number | undefined;
  height: number;
}

/**
 * Keep the end of a growing list in view while it is; when older lines come in above, keep in view
 * what was.
 */
export function useTail(
  box: RefObject<HTMLElement>,
  lines: readonly { id: number }[]
): { following: boolean; follow(): void; onScroll(): void } {
  const [following, setFollowing] = useState(true);
  const last = useRef<IPlace>({ first: undefined, height: 0 });
  const first = lines[0]?.id;
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) {
      return;
    }
    const { scrollHeight } = element;
    const before = last.current;
    const isOlder =
      first !== undefined && before.first !== undefined && first < before.first;
    if (isOlder) {
      element.scrollTop += scrollHeight - before.height;
    } else if (following) {
      element.scrollTop = scrollHeight;
    }
    last.current = { first, height: scrollHeight };
  }, [box, lines, first, following]);
  const onScroll = () => {
    const {
      scrollTop = 0,
      scrollHeight = 0,
      clientHeight = 0
    } = box.current ?? {};
    setFollowing(scrollHeight - scrollTop - clientHeight < NEAR);
  };
  return { following, follow: () => setFollowing(true), onScroll };
}
