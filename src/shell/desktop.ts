/**
 * What the browser says to notifications of this page on the desktop.
 *
 * "insecure": it has them for pages over HTTPS (and of this machine) alone.
 */
export type DesktopPermission =
  'granted' | 'denied' | 'default' | 'insecure' | 'unsupported';

function desktopPermission(): DesktopPermission {
  if (!('Notification' in window)) {
    return 'unsupported';
  }
  const { permission } = window.Notification;
  return permission !== 'granted' && window.isSecureContext === false
    ? 'insecure'
    : permission;
}

/**
 * Ask the user, by the browser's own dialog. Only to be called on a click or key of the user.
 */
export async function askDesktopPermission(): Promise<DesktopPermission> {
  const permission = desktopPermission();
  return permission === 'default'
    ? window.Notification.requestPermission()
    : permission;
}

/**
 * Show a notification on the desktop, where the browser lets us.
 *
 * @param tag - Notifications of the same tag replace each other: several pages tell of one thing.
 */
export function notifyDesktop(
  title: string,
  body: string,
  tag: string,
  onClick: () => void
): void {
  if (desktopPermission() !== 'granted') {
    return;
  }
  try {
    const notification = new window.Notification(title, { body, tag });
    notification.onclick = () => {
      window.focus();
      notification.close();
      onClick();
    };
  } catch (error) {
    // Mobile browsers have the class and the permission, and refuse all the same.
    console.warn('The browser shows no desktop notification.', error);
  }
}
