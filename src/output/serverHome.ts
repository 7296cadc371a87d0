import { Connection, IRunService } from '../tokens';

/**
 * Knows which engine home the server has, for all outputs of the page.
 *
 * Outputs name runs by experiment and number, which are the same in every home: before an output
 * shows any, it has to know that they are those it means.
 */
export class ServerHome {
  constructor(private readonly _service: IRunService) {
    this._connection = _service.connection;
    _service.changed.connect(this._onChanged, this);
  }

  /** The key as far as it is known. */
  get known(): string | null {
    return this._known;
  }

  /** Ask the server, unless it has answered since it was last away; null where it does not answer. */
  key(): Promise<string | null> {
    this._answer ??= this._ask();
    return this._answer;
  }

  private async _ask(): Promise<string | null> {
    try {
      this._known = (await this._service.status()).home_key;
    } catch {
      // The service tells its users what is wrong with the server.
      this._answer = null;
    }
    return this._known;
  }

  private _onChanged(): void {
    const { connection } = this._service;
    if (connection !== this._connection) {
      this._connection = connection;
      // A server that was away may have come back with another home.
      this._answer = null;
    }
  }

  private _answer: Promise<string | null> | null = null;
  private _connection: Connection;
  private _known: string | null = null;
}
