import type { Container } from '../objects.ts';
import { appOf, appProgram } from './apps.ts';
import type { Act, Program } from './program.ts';
import { type Script, type Simple, scriptOf } from './shell.ts';

const FOREVER: Act = { do: 'sleep', ms: Number.POSITIVE_INFINITY };
const CRASH: Program = {
  acts: [
    { do: 'print', text: 'starting', stream: 'stdout' },
    { do: 'sleep', ms: 1000 },
    { do: 'print', text: 'panic: crash requested by CRASH=true', stream: 'stderr' },
    { do: 'exit', code: 1 },
  ],
  loop: [],
  exitCode: 1,
};

interface Step {
  readonly acts: readonly Act[];
  readonly code: number;
}

/** '5', '0.5', '2m', 'infinity' as milliseconds. */
export function seconds(text: string | undefined): number {
  const match = /^([0-9.]+)([smhd]?)$/.exec(text ?? '');
  if (match === null) return text === 'infinity' || text === 'inf' ? Number.POSITIVE_INFINITY : 0;
  const unit = { s: 1, m: 60, h: 3600, d: 86_400 }[match[2] ?? ''] ?? 1;
  return Math.round(Number(match[1]) * unit * 1000);
}

/** What `echo` and `printf` print, without the last line break. */
export function echoed(words: readonly string[]): string {
  const [name, ...given] = words;
  if (name === 'printf')
    return (given[0] ?? '').replaceAll('\\n', '\n').replace(/%[sd]/g, () => given.splice(1, 1)[0] ?? '');
  const flags = given.findIndex((word) => !/^-[neE]+$/.test(word));
  return given.slice(flags === -1 ? given.length : flags).join(' ');
}

function print(command: Simple): readonly Act[] {
  const { stdoutTo } = command;
  if (typeof stdoutTo === 'object')
    return stdoutTo.file.startsWith('/dev/') ? [] : [{ do: 'touch', file: stdoutTo.file }];
  return echoed(command.words)
    .replace(/\n$/, '')
    .split('\n')
    .map((text) => ({ do: 'print', text, stream: stdoutTo }) as const);
}

function stepOf(command: Simple): Step {
  const [first = ':', ...rest] = command.words;
  const name = first.slice(first.lastIndexOf('/') + 1);
  if (name === 'exec') return stepOf({ ...command, words: rest });
  if (name === 'echo' || name === 'printf')
    return { acts: print({ ...command, words: [name, ...rest] }), code: 0 };
  if (name === 'sleep') return { acts: [{ do: 'sleep', ms: seconds(rest[0]) }], code: 0 };
  if (name === 'exit') return { acts: [{ do: 'exit', code: Number(rest[0] ?? 0) }], code: 0 };
  if (name === 'false') return { acts: [], code: 1 };
  if (name === 'touch') return { acts: rest.map((file) => ({ do: 'touch', file }) as const), code: 0 };
  if (['true', ':', 'trap', 'set', 'export', 'date', 'mkdir', 'rm', 'wait'].includes(name))
    return { acts: [], code: 0 };
  return { acts: [FOREVER], code: 0 };
}

function compile(script: Script): Program {
  const acts: Act[] = [];
  let code = 0;
  for (const { join, command } of script) {
    if ((join === '&&' && code !== 0) || (join === '||' && code === 0)) continue;
    if (command.kind === 'loop') {
      const body = compile(command.body);
      const lasts = body.acts.some((act) => act.do === 'sleep' && act.ms > 0) || body.loop.length > 0;
      return {
        acts: [...acts, ...(body.loop.length > 0 ? body.acts : [])],
        loop: body.loop.length > 0 ? body.loop : lasts ? body.acts : [FOREVER],
        exitCode: 0,
      };
    }
    const step = stepOf(command);
    acts.push(...step.acts);
    code = step.code;
  }
  return { acts, loop: [], exitCode: code };
}

/**
 * What a container does. `CRASH=true` in its environment makes it end with 1 after a second; a command is read as a small shell script;
 * without one, a known container name has the start-up time and the log of its server, and anything else runs for ever.
 */
export function programOf(container: Container, ready: number): Program {
  if (container.env?.some(({ name, value }) => name === 'CRASH' && value === 'true') === true) return CRASH;
  const argv = [...(container.command ?? []), ...(container.args ?? [])];
  const app = appOf(container.name);
  if (container.command === undefined)
    return app === undefined ? { acts: [FOREVER], loop: [], exitCode: 0 } : appProgram(app, ready);
  return compile(scriptOf(argv));
}

/** Milliseconds from SIGTERM to the end: what the server needs, or the whole grace period for a script that does not listen. */
export function stopsAfter(container: Container, grace: number): number {
  const app = appOf(container.name);
  if (container.command === undefined) return Math.min(grace, (app?.stop ?? 1) * 1000);
  const listens = [...container.command, ...(container.args ?? [])].some((word) => /\btrap\b/.test(word));
  return listens ? Math.min(grace, 200) : grace;
}
