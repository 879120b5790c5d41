import type { ChangeStepType, Observation, ReadContext } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { ExecOutputs, ExecWith } from '../../generated/types.ts';
import type { CommandResult } from '../../services/process.ts';
import { verdictOfExit } from '../exit-verdict.ts';
import { commandLine, requireExit, withCommand } from './program.ts';

export const exec: ChangeStepType<ExecWith, ExecOutputs> = {
  type: 'exec',
  effect: 'change',
  effectOf: (input) => (input.effect === 'read' ? 'read' : 'change'),
  timeout: 10 * 60_000,
  describe: (input) => `run ${commandLine(input.command)}`,
  // Nobody knows what a changing program touches: no later read is trusted in a plan.
  resources: (input) =>
    input.effect === 'read' ? [{ path: 'local/*', mode: 'read' }] : [{ path: '*', mode: 'write' }],
  access: () => [],
  check(input) {
    if (input.effect === 'change' && input.observe === undefined)
      return [
        {
          path: ['effect'],
          message:
            'A program that changes something needs observe: after a crash nobody could tell what it did.',
          hint: 'Add observe with a command that exits 0 when the change is in place and 1 when it is not.',
        },
      ];
    if (input.effect === 'read' && (input.observe !== undefined || input.undo !== undefined))
      return [{ path: ['effect'], message: 'A reading program has nothing to observe or undo.' }];
    return [];
  },

  async predict(input, ctx) {
    const seen = await look(input, ctx);
    if (seen.state === 'applied')
      return { predictable: true, changes: false, diff: [], notes: [seen.evidence] };
    return {
      predictable: false,
      why: 'a local program cannot say what it would change',
      notes: [seen.evidence],
    };
  },

  async capture() {
    return { state: null, witnesses: [] };
  },

  async run(input, ctx) {
    const what = commandLine(input.command);
    const onLine = (line: string) => ctx.progress({ text: what, line });
    const result = await withCommand(input, async (command): Promise<CommandResult> => {
      if (input.effect === 'read') return await ctx.services.process.read({ ...command, onLine }, ctx.signal);
      return await ctx.services.process.run({ ...command, onLine }, ctx.signal, (child) =>
        ctx.checkpoint({ child: { ...child } }),
      );
    });
    return outputsOf(requireExit(what, result, input.exitCodes ?? [0]));
  },

  observe: (input, _before, ctx) => look(input, ctx),

  async undo(input, _before, _outputs, ctx) {
    const { undo } = input;
    if (undo === undefined)
      throw new StepError('irreversible', `${commandLine(input.command)} declares no undo.`, {
        outcome: 'not-applied',
        hint: 'Take it back by hand, or give the step a rollback block.',
      });
    const program = { ...input, command: undo.command };
    const result = await withCommand(program, (command) => ctx.services.process.run(command, ctx.signal));
    requireExit(commandLine(undo.command), result, undo.exitCodes ?? [0]);
  },
};

async function look(input: ExecWith, ctx: ReadContext): Promise<Observation> {
  const { observe } = input;
  if (observe === undefined) return { state: 'unknown', evidence: 'the step declares no observe' };
  const { stdin: _, ...surroundings } = input;
  const program = { ...surroundings, command: observe.command };
  const result = await withCommand(program, (command) => ctx.services.process.read(command, ctx.signal));
  const verdict = verdictOfExit(commandLine(observe.command), result.exitCode, observe);
  if (verdict.state !== 'applied') return verdict;
  // What the program itself said is lost; the exit code it would have had is not.
  const exitCode = input.exitCodes?.[0] ?? 0;
  return { ...verdict, outputs: { exitCode, stdout: '', stderr: '', truncated: false } };
}

function outputsOf(result: CommandResult & { readonly exitCode: number }): ExecOutputs {
  const { exitCode, stdout, stderr, truncated } = result;
  return { exitCode, stdout, stderr, truncated };
}
