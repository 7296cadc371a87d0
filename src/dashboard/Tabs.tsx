import * as React from 'react';

interface ITabsProps<T extends string> {
  label: string;

  /** The tabs are `${id}-${tab.id}`, their one panel is `${id}-panel`. */
  id: string;
  tabs: readonly { id: T; label: string }[];
  selected: T;
  onSelect(id: T): void;
}

/**
 * Tabs as the ARIA practices have them: one stop of the Tab key, arrows move between them.
 */
export function Tabs<T extends string>(props: ITabsProps<T>): JSX.Element {
  const { label, id, tabs, selected, onSelect } = props;
  const list = React.useRef<HTMLDivElement>(null);
  const onKeyDown = (event: React.KeyboardEvent) => {
    const index = tabs.findIndex(tab => tab.id === selected);
    const next = target(event.key, index, tabs.length);
    if (next !== null) {
      event.preventDefault();
      onSelect(tabs[next].id);
      list.current?.querySelectorAll('button')[next]?.focus();
    }
  };
  return (
    <div
      className="jp-rf-Tabs"
      role="tablist"
      aria-label={label}
      ref={list}
      onKeyDown={onKeyDown}
    >
      {tabs.map(tab => (
        <button
          key={tab.id}
          id={`${id}-${tab.id}`}
          type="button"
          role="tab"
          className="jp-rf-Tabs-tab"
          aria-selected={tab.id === selected}
          aria-controls={`${id}-panel`}
          tabIndex={tab.id === selected ? 0 : -1}
          onClick={() => onSelect(tab.id)}
        >
          {tab.label}
        </button>
      ))}
    </div>
  );
}

/** Where a key leads to; null if it is none of ours. */
function target(key: string, index: number, count: number): number | null {
  switch (key) {
    case 'ArrowRight':
      return (index + 1) % count;
    case 'ArrowLeft':
      return (index + count - 1) % count;
    case 'Home':
      return 0;
    case 'End':
      return count - 1;
    default:
      return null;
  }
}
