import * as React from 'react';

import { IRunService } from '../tokens';
import { ServerHome } from './serverHome';

/**
 * The key of the server's engine home; null until the server has told it.
 */
export function useHomeKey(
  service: IRunService,
  home: ServerHome
): string | null {
  const [key, setKey] = React.useState(home.known);
  const { connection } = service;
  React.useEffect(() => {
    let isWanted = true;
    home
      .key()
      .then(told => isWanted && setKey(told))
      .catch(console.error);
    return () => {
      isWanted = false;
    };
  }, [home, connection]);
  return key;
}
