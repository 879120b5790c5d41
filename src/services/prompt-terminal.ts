import { closeSync, constants, openSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { ReadStream, WriteStream } from 'node:tty';
import { Secret } from '../engine/secret.ts';
import type { Prompt } from './prompt.ts';

/** Both ends of a terminal; closed after each question, so that an open one never keeps the process alive. */
export interface Terminal {
  readonly input: Readable & { setRawMode?(raw: boolean): unknown };
  readonly output: Writable;
  close(): void;
}

export interface PromptOptions {
  /** Whether to ask at all: false in CI, or when standard input is no terminal. */
  readonly interactive: boolean;
  /** Ctrl-C during a hidden answer, when the terminal raises no signal by itself. */
  readonly interrupt: () => void;
  /** Undefined when there is no terminal to ask at. */
  readonly open?: () => Terminal | undefined;
}

/**
 * Questions at the terminal itself, so that pipes on standard input and output do not matter. An aborted question
 * rejects with the signal's reason; an answer that ends (Ctrl-D) counts as no terminal.
 */
export function createTerminalPrompt(options: PromptOptions): Prompt {
  const openTerminal = options.open ?? openControllingTerminal;
  async function ask<T>(
    signal: AbortSignal,
    use: (terminal: Terminal) => Promise<T | 'no-terminal'>,
  ): Promise<T | 'no-terminal'> {
    signal.throwIfAborted();
    const terminal = options.interactive ? openTerminal() : undefined;
    if (terminal === undefined) return 'no-terminal';
    try {
      return await use(terminal);
    } finally {
      terminal.close();
    }
  }
  return {
    interactive: options.interactive,
    text: (question, signal) => ask(signal, (terminal) => readLine(terminal, `${plain(question)} `, signal)),
    confirm: (question, signal) => ask(signal, (terminal) => readYesOrNo(terminal, plain(question), signal)),
    choose: (question, choices, signal) =>
      ask(signal, (terminal) => readChoice(terminal, { question, choices }, signal)),
    secret: (name, question, signal) =>
      ask(signal, async (terminal) => {
        const bytes = await readHidden(
          { terminal, question: plain(question), interrupt: options.interrupt },
          signal,
        );
        return bytes === 'no-terminal' ? bytes : new Secret(name, bytes);
      }),
  };
}

async function readYesOrNo(
  terminal: Terminal,
  question: string,
  signal: AbortSignal,
): Promise<boolean | 'no-terminal'> {
  for (;;) {
    const answer = await readLine(terminal, `${question} [yes/no] `, signal);
    if (answer === 'no-terminal') return answer;
    if (/^\s*y(?:es)?\s*$/iu.test(answer)) return true;
    if (/^\s*no?\s*$/iu.test(answer)) return false;
    terminal.output.write('Please answer yes or no.\n');
  }
}

interface Choice {
  readonly question: string;
  readonly choices: readonly { readonly key: string; readonly label: string }[];
}

async function readChoice(
  terminal: Terminal,
  { question, choices }: Choice,
  signal: AbortSignal,
): Promise<string> {
  const keys = choices.map((choice) => choice.key);
  terminal.output.write(`${plain(question)}\n`);
  for (const { key, label } of choices) terminal.output.write(`  ${plain(key)}  ${plain(label)}\n`);
  for (;;) {
    const answer = (await readLine(terminal, `[${keys.map(plain).join('/')}] `, signal)).trim();
    if (answer === 'no-terminal' || keys.includes(answer)) return answer;
    const same = keys.find((key) => key.toLowerCase() === answer.toLowerCase());
    if (same !== undefined) return same;
    terminal.output.write(`Please answer one of ${keys.map(plain).join(', ')}.\n`);
  }
}

/** The terminal stays in its normal mode: it edits the line and turns Ctrl-C into a signal. */
function readLine(
  terminal: Terminal,
  question: string,
  signal: AbortSignal,
): Promise<string | 'no-terminal'> {
  return new Promise((resolve, reject) => {
    const lines = createInterface({ input: terminal.input, terminal: false });
    let finished = false;
    const finish = (settle: () => void) => {
      if (finished) return;
      finished = true;
      signal.removeEventListener('abort', onAbort);
      lines.close();
      settle();
    };
    const onAbort = () => {
      terminal.output.write('\n');
      finish(() => reject(signal.reason));
    };
    signal.addEventListener('abort', onAbort, { once: true });
    lines.once('line', (line) => finish(() => resolve(line)));
    lines.once('close', () => finish(() => resolve('no-terminal')));
    terminal.input.once('error', () => finish(() => resolve('no-terminal')));
    terminal.output.write(question);
  });
}

const keys = {
  interrupt: 3,
  end: 4,
  backspace: 8,
  lineFeed: 10,
  enter: 13,
  killLine: 21,
  delete: 127,
} as const;

interface HiddenQuestion {
  readonly terminal: Terminal;
  readonly question: string;
  readonly interrupt: () => void;
}

function readHidden(
  { terminal, question, interrupt }: HiddenQuestion,
  signal: AbortSignal,
): Promise<Uint8Array | 'no-terminal'> {
  const { input, output } = terminal;
  return new Promise((resolve, reject) => {
    let typed: number[] = [];
    const finish = (settle: () => void) => {
      signal.removeEventListener('abort', onAbort);
      input.off('data', onData);
      input.pause();
      input.setRawMode?.(false);
      output.write('\n');
      settle();
      typed = [];
    };
    const onAbort = () => finish(() => reject(signal.reason));
    const onKey = (key: number): boolean => {
      if (key === keys.enter || key === keys.lineFeed) finish(() => resolve(Uint8Array.from(typed)));
      else if (key === keys.end) finish(() => resolve('no-terminal'));
      else if (key === keys.interrupt) {
        interrupt();
        return true;
      } else {
        edit(typed, key);
        return true;
      }
      return false;
    };
    const onData = (chunk: Buffer) => {
      for (const key of chunk) if (!onKey(key)) break;
      chunk.fill(0);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    input.once('end', () => finish(() => resolve('no-terminal')));
    output.write(`${question} `);
    input.setRawMode?.(true);
    input.on('data', onData);
  });
}

function edit(typed: number[], key: number): void {
  if (key === keys.killLine) typed.length = 0;
  else if (key === keys.backspace || key === keys.delete) {
    // One character may be several bytes of UTF-8.
    while (((typed.pop() ?? 0) & 0xc0) === 0x80);
  } else if (key >= 32) typed.push(key);
}

/** Text of runbooks and inputs must not steer the terminal or disguise what is asked. */
function plain(text: string): string {
  return text.replace(/[\p{Cc}\p{Bidi_Control}]/gu, (character) => (character === '\n' ? '\n' : '\uFFFD'));
}

function openControllingTerminal(): Terminal | undefined {
  let descriptors: readonly [number, number];
  try {
    descriptors = [openSync('/dev/tty', constants.O_RDONLY), openSync('/dev/tty', constants.O_WRONLY)];
  } catch {
    return undefined;
  }
  try {
    const input = new ReadStream(descriptors[0]);
    const output = new WriteStream(descriptors[1]);
    return {
      input,
      output,
      close: () => {
        input.destroy();
        output.destroy();
      },
    };
  } catch {
    for (const descriptor of descriptors) closeSync(descriptor);
    return undefined;
  }
}
