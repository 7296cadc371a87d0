import * as React from 'react';

interface ILiveTextProps {
  text: string;
  className: string;
}

// Screen readers read every change aloud: not more often than this, in milliseconds.
const PAUSE = 3000;

/**
 * A line that screen readers announce when it changes, though not all the time.
 */
export function LiveText({ text, className }: ILiveTextProps): JSX.Element {
  const [shown, setShown] = React.useState(text);
  const last = React.useRef(0);
  React.useEffect(() => {
    const wait = Math.max(0, last.current + PAUSE - Date.now());
    const timer = setTimeout(() => {
      last.current = Date.now();
      setShown(text);
    }, wait);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <div className={className} role="status" aria-live="polite" title={shown}>
      {shown}
    </div>
  );
}
