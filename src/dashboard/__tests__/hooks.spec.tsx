import { act, renderHook } from '@testing-library/react';

import { useTail } from '../useTail';
import { useVisible } from '../useVisible';

describe('useVisible', () => {
  const original = globalThis.IntersectionObserver;
  let tell: (isIntersecting: boolean) => void = () => {};

  beforeEach(() => {
    class FakeObserver {
      constructor(callback: (entries: object[]) => void) {
        tell = isIntersecting => callback([{ isIntersecting }]);
      }
      observe() {}
      disconnect() {
        tell = () => {};
      }
    }
    globalThis.IntersectionObserver =
      FakeObserver as unknown as typeof IntersectionObserver;
  });
  afterEach(() => {
    globalThis.IntersectionObserver = original;
  });

  function hidePage(hidden: boolean) {
    Object.defineProperty(document, 'hidden', {
      value: hidden,
      configurable: true
    });
    document.dispatchEvent(new Event('visibilitychange'));
  }

  it('needs the element in view and the page shown', () => {
    const element = { current: document.createElement('div') };
    const { result } = renderHook(() => useVisible(element));
    act(() => hidePage(false));
    expect(result.current).toBe(false);
    act(() => tell(true));
    expect(result.current).toBe(true);
    act(() => hidePage(true));
    expect(result.current).toBe(false);
    act(() => hidePage(false));
    expect(result.current).toBe(true);
    act(() => tell(false));
    expect(result.current).toBe(false);
  });
});

describe('useTail', () => {
  function boxOf(scrollHeight: number) {
    const box = document.createElement('div');
    let height = scrollHeight;
    Object.defineProperty(box, 'scrollHeight', { get: () => height });
    Object.defineProperty(box, 'clientHeight', { value: 100 });
    return { box, grow: (to: number) => (height = to) };
  }

  it('follows the end until the user scrolls away from it', () => {
    const { box, grow } = boxOf(500);
    const ref = { current: box };
    const { result, rerender } = renderHook(lines => useTail(ref, lines), {
      initialProps: [{ id: 5 }]
    });
    expect(box.scrollTop).toBe(500);
    box.scrollTop = 50;
    act(() => result.current.onScroll());
    expect(result.current.following).toBe(false);
    grow(600);
    rerender([{ id: 5 }, { id: 6 }]);
    expect(box.scrollTop).toBe(50);
    act(() => result.current.follow());
    expect(box.scrollTop).toBe(600);
  });

  it('keeps its place when older lines come in above', () => {
    const { box, grow } = boxOf(500);
    const ref = { current: box };
    const { result, rerender } = renderHook(lines => useTail(ref, lines), {
      initialProps: [{ id: 5 }]
    });
    box.scrollTop = 20;
    act(() => result.current.onScroll());
    grow(900);
    rerender([{ id: 4 }, { id: 5 }]);
    expect(box.scrollTop).toBe(420);
  });
});
