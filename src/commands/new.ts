import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { exitCodes } from '../exit-code.ts';
import { type Command, CommandError, UsageError } from './command.ts';

function scaffold(name: string, schema: string): string {
  return `# yaml-language-server: $schema=${schema}
apiVersion: runbook/v1
name: ${name}
title: Say in a few words what this does
description: Say when to run it, what it changes and how one knows that it worked.
risk: medium
locks: ["{{inputs.service.namespace}}/{{inputs.service.resource}}"]
inputs:
  service: {type: service, description: A name from the service inventory, required: true}
preconditions:
  - id: healthy
    name: Every pod of {{inputs.service.name}} is ready
    uses: kubectl.pods
    with: {namespace: "{{inputs.service.namespace}}", selector: "{{inputs.service.selector}}"}
    expect: outputs.pods.all(p, p.ready)
steps:
  - id: restart
    name: Restart {{inputs.service.name}}
    uses: kubectl.rollout-restart
    with: {kind: "{{inputs.service.kind}}", name: "{{inputs.service.resource}}", namespace: "{{inputs.service.namespace}}"}
    timeout: 15m
    rollback: {irreversible: A restart changes nothing that could be put back}
verifications:
  - id: stillHealthy
    name: Every pod of {{inputs.service.name}} is ready again
    uses: kubectl.pods
    with: {namespace: "{{inputs.service.namespace}}", selector: "{{inputs.service.selector}}"}
    expect: outputs.pods.all(p, p.ready)
    until: {within: 5m, every: 5s}
`;
}

export const newRunbook: Command = {
  name: 'new',
  summary: 'start a new runbook',
  arguments: [{ name: 'NAME', description: 'lower-case letters, digits and dashes' }],
  options: [],
  help: 'Writes NAME.yaml into ./runbooks if that folder exists, otherwise into the current folder. Never overwrites.\n',
  async run([name], _options, environment) {
    if (name === undefined || !/^[a-z0-9][a-z0-9-]*$/.test(name))
      throw new UsageError(
        `'${name ?? ''}' is no name for a runbook`,
        'lower-case letters, digits and dashes: rotate-tokens',
      );
    const folder = existsSync(path.join(environment.cwd, 'runbooks'))
      ? path.join(environment.cwd, 'runbooks')
      : environment.cwd;
    const file = path.join(folder, `${name}.yaml`);
    const schema = path.join(environment.packageRoot, 'dist', 'runbook.schema.json');
    try {
      writeFileSync(file, scaffold(name, schema), { flag: 'wx' });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST')
        throw new CommandError(
          exitCodes.usage,
          `${file} exists already`,
          'choose another name, or edit that file',
        );
      throw new CommandError(exitCodes.usage, `cannot write ${file}: ${(error as Error).message}`);
    }
    environment.streams.data(`${file}\n`);
    environment.streams.info(
      `next: edit it, then 'runbook validate ${path.relative(environment.cwd, file)}' and 'runbook plan ${name}'\n`,
    );
    return exitCodes.done;
  },
};
