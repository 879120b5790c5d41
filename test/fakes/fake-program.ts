import type { Command, CommandResult, ProcessRunner } from '../../src/services/process.ts';

type Answer = Partial<CommandResult>;

/** Local programs that answer what a test says, and remember how they were called. */
export class FakePrograms implements ProcessRunner {
  readonly calls: { readonly how: 'read' | 'run'; readonly command: Command }[] = [];
  readonly #answer: (command: Command) => Answer;

  constructor(answer: (command: Command) => Answer) {
    this.#answer = answer;
  }

  async read(command: Command): Promise<CommandResult> {
    return this.#call('read', command);
  }

  async run(
    command: Command,
    _signal: AbortSignal,
    onStart?: (child: { pid: number; startTime: number; bootId: string }) => Promise<void>,
  ): Promise<CommandResult> {
    await onStart?.({ pid: 7, startTime: 70, bootId: 'boot' });
    return this.#call('run', command);
  }

  #call(how: 'read' | 'run', command: Command): CommandResult {
    this.calls.push({ how, command: { ...command, ...(command.stdin && { stdin: command.stdin.slice() }) } });
    const answer = this.#answer(command);
    for (const line of (answer.stdout ?? '').split('\n').filter((text) => text !== ''))
      command.onLine?.(line, 'stdout');
    return { exitCode: 0, signal: undefined, stdout: '', stderr: '', truncated: false, ...answer };
  }
}
