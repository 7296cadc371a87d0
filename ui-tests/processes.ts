import { ChildProcess, execFileSync, spawn } from 'child_process';

const KILL_ENGINE = `
import psutil, sys
for process in psutil.process_iter():
    try:
        if process.environ().get("RAPIDFIRE_LAB_ENGINE") == sys.argv[1]:
            process.kill()
    except psutil.Error:
        pass
`;

/** kill -9 for every process of an engine. */
export function killEngine(home: string): void {
  execFileSync('python', ['-c', KILL_ENGINE, home]);
}

/** Run Python code beside the server, with the engine of a home. */
export function runPython(code: string, home: string): void {
  execFileSync('python', ['-c', code], {
    env: {
      ...process.env,
      RAPIDFIRE_LAB_HOME: home,
      RAPIDFIRE_LAB_TRACKING: 'False',
      RAPIDFIRE_LAB_SLOTS: '2',
      RAPIDFIRE_LAB_IDLE_MINUTES: '0.5',
      RAPIDFIRE_LAB_SPECS: `${process.cwd()}/../tests/specs`,
      RAPIDFIRE_LAB_JOURNEYS: process.cwd()
    },
    stdio: 'ignore'
  });
}

/** A Jupyter server of a journey's own, which can be stopped and started again. */
export class Server {
  constructor(
    private readonly _port: number,
    private readonly _home: string
  ) {}

  get url(): string {
    return `http://127.0.0.1:${this._port}`;
  }

  async start(): Promise<void> {
    this._process = spawn(
      'jupyter',
      [
        'lab',
        '--config',
        'jupyter_server_test_config.py',
        `--port=${this._port}`,
        '--allow-root'
      ],
      {
        env: { ...process.env, RAPIDFIRE_LAB_UI_HOME: this._home },
        stdio: 'ignore'
      }
    );
    while (!(await this._answers())) {
      await new Promise(resolve => setTimeout(resolve, 100));
    }
  }

  async stop(): Promise<void> {
    const stopped = this._process;
    this._process = null;
    if (stopped) {
      const exited = new Promise(resolve => stopped.once('exit', resolve));
      stopped.kill('SIGKILL');
      await exited;
    }
  }

  private async _answers(): Promise<boolean> {
    try {
      return (await fetch(`${this.url}/lab`)).ok;
    } catch {
      return false;
    }
  }

  private _process: ChildProcess | null = null;
}
