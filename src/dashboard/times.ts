/**
 * A moment in local words: the time of day, with the date where that is not today.
 *
 * @param seconds - Since 1970, as the server has it.
 */
export function formatMoment(seconds: number, now = new Date()): string {
  const moment = new Date(1000 * seconds);
  const time = moment.toLocaleTimeString();
  return moment.toDateString() === now.toDateString()
    ? time
    : `${moment.toLocaleDateString()} ${time}`;
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** A number of bytes: 512 B, 1.5 MiB. */
export function formatSize(bytes: number): string {
  let size = bytes;
  let unit = 0;
  while (size >= 1024 && unit < UNITS.length - 1) {
    size /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || size >= 100 ? 0 : 1;
  return `${size.toFixed(digits)} ${UNITS[unit]}`;
}
