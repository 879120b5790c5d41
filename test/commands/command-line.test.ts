import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { commands } from '../../src/commands/index.ts';
import { createRig } from '../cli/rig.ts';
import { runbookOf } from '../cli/runbooks.ts';
import { names } from '../contract/shipped.ts';

const root = path.dirname(path.dirname(import.meta.dirname));

describe('help', () => {
  test.each(commands.map(({ name }) => name))('%s --help names its arguments and options', async (name) => {
    const rig = createRig();
    const { code, stdout, stderr } = await rig.run([name, '--help']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const command = await commands.find((entry) => entry.name === name)?.load();
    expect(stdout).toContain(`Usage: runbook ${name} `);
    for (const { flags, description } of command?.options ?? []) {
      expect(stdout).toContain(flags);
      expect(stdout.replace(/\s+/g, ' ')).toContain(description);
    }
    for (const { description } of command?.arguments ?? [])
      expect(stdout.replace(/\s+/g, ' ')).toContain(description);
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThan(200);
  });

  test('without a command: the overview on stderr and exit 2; asked for: on stdout and exit 0', async () => {
    const rig = createRig();
    const bare = await rig.run([]);
    const asked = await rig.run(['--help']);
    expect(bare).toMatchObject({ code: 2, stdout: '' });
    expect(asked).toMatchObject({ code: 0, stderr: '', stdout: bare.stderr });
    for (const { name, summary } of commands)
      expect(asked.stdout).toMatch(new RegExp(`^ +${name} +${summary}$`, 'm'));
  });
});

describe('wrong usage ends with exit 2, what is wrong and what to do', () => {
  test.each([
    [['exce'], "there is no command 'exce'", "did you mean 'runbook exec'?"],
    [['frobnicate'], "there is no command 'frobnicate'", "'runbook --help' lists the commands"],
    [['exec', 'restart-service', '--sandbx'], "unknown option '--sandbx'", '--sandbox'],
    [['exec'], "missing required argument 'FILE'", "'runbook exec --help'"],
    [['exec', 'a', 'b'], 'too many arguments', "'runbook exec --help'"],
    [['exec', 'restart-service', '--output', 'loud'], "'loud' is invalid", 'live, plain, json'],
    [['exec', 'restart-service', '--seed', '7'], '--seed works with --sandbox only', '--help'],
    [['exec', 'restart-service', '--sandbox', '--seed', 'x'], '--seed x is no whole number', '--seed 7'],
    [['exec', 'no-plan.json'], 'cannot read the plan no-plan.json: ENOENT', '--help'],
    [
      ['steps', 'kubectl.rollout-restrat'],
      "no step type 'kubectl.rollout-restrat'",
      "'kubectl.rollout-restart'",
    ],
    [['completion', 'tcsh'], "no completion for 'tcsh'", 'bash, zsh, fish'],
    [['new', 'Not A Name'], "'Not A Name' is no name", 'lower-case letters'],
  ])('%j', async (args, why, hint) => {
    const { code, stdout, stderr } = await createRig().run(args);
    expect(stderr).toContain(why);
    expect(stderr).toContain(hint);
    expect(stderr).not.toMatch(/^ +at /m);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  });
});

describe('what there is', () => {
  test('list, steps and services as tables and as JSON', async () => {
    const rig = createRig();
    const [list, steps, services] = await Promise.all(
      ['list', 'steps', 'services'].map(async (name) => ({
        text: (await rig.run([name])).stdout,
        json: JSON.parse((await rig.run([name, '--format', 'json'])).stdout) as unknown,
      })),
    );
    expect(list?.text).toMatch(/^restart-service +medium +shipped +Restart one control plane service$/m);
    expect(list?.json).toContainEqual(expect.objectContaining({ name: 'check-health', shipped: true }));
    expect(steps?.text).toMatch(/^kubectl\.scale +change +Set the number of replicas$/m);
    expect(steps?.json).toContainEqual(expect.objectContaining({ type: 'kubectl.pods', effect: 'read' }));
    expect(services?.text).toMatch(
      /^openbao +OpenBao +vault-system +StatefulSet\/openbao-server .*OnDelete$/m,
    );
    expect(services?.text.trimEnd().split('\n')).toHaveLength(1 + 13);
  });

  test('a step type with its inputs, outputs and an example', async () => {
    const { stdout } = await createRig().run(['steps', 'kubectl.scale']);
    expect(stdout).toContain('replicas: integer | string, required');
    expect(stdout).toMatch(/\noutputs:\n[\s\S]*previous: integer/);
    expect(stdout).toMatch(/\nexamples:\n[\s\S]*uses: kubectl\.scale/);
  });

  test('a runbook of one’s own hides a shipped one of the same name', async () => {
    const rig = createRig();
    rig.write(
      'runbooks/restart-service.yaml',
      'apiVersion: runbook/v1\nname: restart-service\ntitle: Ours\nrisk: low\n',
    );
    const { stdout } = await rig.run(['list']);
    expect(stdout).toMatch(/^restart-service +low +\S+\/runbooks\/restart-service\.yaml +Ours$/m);
  });
});

describe('runbook new', () => {
  test('writes a runbook that validates, plans and runs; never over another', async () => {
    const rig = createRig();
    const made = await rig.run(['new', 'rotate-tokens']);
    const file = made.stdout.trim();
    expect(file).toBe(`${rig.folder}/rotate-tokens.yaml`);
    const text = readFileSync(file, 'utf8');
    expect((await rig.run(['validate', file])).stdout).toBe('rotate-tokens.yaml is valid\n');
    expect(text).toMatch(/^name: rotate-tokens\ntitle: Rotate tokens$/m);
    expect(made.stderr).toMatch(/^begun as a copy of (mek|nek)-rotation; .* --from NAME/);
    expect((await rig.run(['plan', 'rotate-tokens', '--sandbox'])).code).toBe(0);
    const again = await rig.run(['new', 'rotate-tokens']);
    expect(again.code).toBe(2);
    expect(again.stderr).toContain('exists already');
    expect(readFileSync(file, 'utf8')).toBe(text);
  });
});

describe('runbook new --from', () => {
  test.each(names)('%s gives a runbook that is valid right away, comments and all', async (name) => {
    const rig = createRig();
    const made = await rig.run(['new', 'of-mine', '--from', name]);
    expect(made.code, made.stderr).toBe(0);
    expect(made.stderr).toContain(`begun as a copy of ${name}\n`);
    const { code, stdout } = await rig.run(['validate', 'of-mine.yaml']);
    expect(stdout).toBe('of-mine.yaml is valid\n');
    expect(code).toBe(0);
    const lines = (file: string) => readFileSync(file, 'utf8').split('\n').length;
    expect(lines(made.stdout.trim())).toBe(lines(path.join(root, 'runbooks', `${name}.yaml`)));
  });

  test('one of your own keeps the files beside it, and an unknown one is explained', async () => {
    const rig = createRig();
    const inner = rig.write(
      'inner.yaml',
      runbookOf('  - {id: say, uses: note, with: {text: a}}\n').replace('name: own', 'name: inner'),
    );
    rig.write(
      'outer.yaml',
      runbookOf('  # kept\n  - {id: inside, uses: ./inner.yaml}\n').replace('name: own', 'name: outer'),
    );
    const made = await rig.run(['new', 'mine', '--from', './outer.yaml']);
    const text = readFileSync(made.stdout.trim(), 'utf8');
    expect(text).toContain('# kept');
    expect(text).toContain('uses: ./inner.yaml');
    expect((await rig.run(['validate', 'mine.yaml'])).code).toBe(0);
    expect(readFileSync(inner, 'utf8')).toContain('name: inner');
    const unknown = await rig.run(['new', 'other', '--from', 'spot-upgrad']);
    expect(unknown.code).toBe(2);
    expect(unknown.stderr).toContain("did you mean 'spot-upgrade'?");
  });

  test.each([
    ['upgrade-notary', 'spot-upgrade'],
    ['restart-notary', 'restart-service'],
    ['qqq', 'scale-service'],
  ])('%s begins as %s unless told otherwise', async (name, source) => {
    const made = await createRig().run(['new', name]);
    expect(made.stderr).toContain(`begun as a copy of ${source};`);
  });
});

describe('runbook completion', () => {
  test('bash takes the script and completes commands, runbooks and options with it', async () => {
    const rig = createRig();
    const complete = (words: string) =>
      `COMP_WORDS=(${words}); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); _runbook; echo "\${COMPREPLY[@]}"`;
    const { code, stdout, stderr } = await rig.shell(`
runbook completion bash > script && bash -n script && source ./script
${complete('runbook ex')}
${complete('runbook exec restart-s')}
${complete('runbook exec --sand')}
${complete('runbook steps kubectl.roll')}`);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.split('\n')).toEqual([
      'exec',
      'restart-service',
      '--sandbox',
      'kubectl.rollout-restart kubectl.rollout-status kubectl.rollout-undo',
      '',
    ]);
  });

  test.each(['zsh', 'fish'])('%s has a script that asks for the words', async (shell) => {
    const { code, stdout } = await createRig().run(['completion', shell]);
    expect(stdout).toContain('runbook completion --words');
    expect(code).toBe(0);
  });
});
