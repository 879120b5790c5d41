import type { CommandEntry } from './command.ts';

/** Every command, in the order of `runbook --help`. One line each; a command is loaded when it is asked for. */
export const commands: readonly CommandEntry[] = [
  {
    name: 'validate',
    summary: 'check runbooks offline: YAML, schema, references, expressions',
    load: async () => (await import('./validate.ts')).validate,
  },
  {
    name: 'plan',
    summary: 'dry run: resolve inputs, run preconditions and reads, predict every change',
    load: async () => (await import('./plan.ts')).plan,
  },
  {
    name: 'exec',
    summary: 'run a runbook or a saved plan',
    load: async () => (await import('./exec.ts')).exec,
  },
  {
    name: 'resume',
    summary: 'continue a run that stopped',
    load: async () => (await import('./resume.ts')).resume,
  },
  {
    name: 'rollback',
    summary: 'undo what a run changed',
    load: async () => (await import('./rollback.ts')).rollback,
  },
  {
    name: 'approve',
    summary: 'answer a step that waits for an approval',
    load: async () => (await import('./approve.ts')).approve,
  },
  { name: 'runs', summary: 'list runs', load: async () => (await import('./runs.ts')).runs },
  { name: 'show', summary: 'show one run', load: async () => (await import('./show.ts')).show },
  {
    name: 'report',
    summary: 'write the report of a run as Markdown, HTML or JSON',
    load: async () => (await import('./report.ts')).report,
  },
  {
    name: 'verify',
    summary: "check that a run's journal is whole",
    load: async () => (await import('./verify.ts')).verify,
  },
  {
    name: 'rehearse',
    summary: 'on the sandbox, fail each step in every way and see what a rollback brings back',
    load: async () => (await import('./rehearse.ts')).rehearse,
  },
  {
    name: 'list',
    summary: 'list the runbooks that can be run by name',
    load: async () => (await import('./list.ts')).list,
  },
  {
    name: 'steps',
    summary: 'list step types, or explain one',
    load: async () => (await import('./steps.ts')).steps,
  },
  {
    name: 'services',
    summary: 'print the service inventory',
    load: async () => (await import('./services.ts')).services,
  },
  { name: 'new', summary: 'start a new runbook', load: async () => (await import('./new.ts')).newRunbook },
  {
    name: 'completion',
    summary: 'print shell completion',
    load: async () => (await import('./completion.ts')).completion,
  },
  {
    name: 'unlock',
    summary: 'remove a lock that a dead run left behind',
    load: async () => (await import('./unlock.ts')).unlock,
  },
];
