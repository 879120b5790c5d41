import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Json } from '../engine/json.ts';
import { type InputProblem, resolveInputs } from '../engine/plan/inputs.ts';
import type { PlannedInput } from '../engine/plan/plan.ts';
import { decode } from '../engine/read/decode.ts';
import { findService, type Inventory, type InventoryService } from '../engine/read/inventory.ts';
import { parseYaml } from '../engine/read/parse.ts';
import type { InputSpec, Runbook } from '../engine/read/runbook.ts';
import { jsonOf } from '../engine/read/tree.ts';
import { Secret } from '../engine/secret.ts';
import { StepError } from '../engine/step-type.ts';
import { exitCodes } from '../exit-code.ts';
import { formatHuman } from '../output/diagnostics-human.ts';
import { safeBlock } from '../output/safe-text.ts';
import { readSecret, SecretSourceError } from '../services/secret-sources.ts';
import { resolveService, ServiceResolutionError } from '../services/service-directory.ts';
import { CommandError, type Environment, type Options } from './command.ts';
import { type CommandWorld, textOption } from './world.ts';

/** The content of `--inputs-file`: YAML, read as strictly as a runbook. */
function inputsFile(options: Options, environment: Environment): Json | undefined {
  const name = textOption(options, 'inputsFile');
  if (name === undefined) return undefined;
  const file = path.resolve(environment.cwd, name);
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    throw new CommandError(
      exitCodes.usage,
      `cannot read the file of inputs ${name}: ${(error as NodeJS.ErrnoException).code ?? 'unknown error'}`,
    );
  }
  const decoded = decode(name, bytes);
  const parsed = decoded.ok ? parseYaml(decoded.file) : decoded;
  if (parsed.ok) return jsonOf(parsed.tree);
  environment.streams.info(formatHuman(parsed.diagnostics, environment.streams.color));
  throw new CommandError(exitCodes.invalid, `the file of inputs ${name} is not valid`);
}

function sayProblem({ message, hint }: InputProblem): string {
  return `error: ${safeBlock(message)}${hint === undefined ? '' : `\nhint: ${safeBlock(hint)}`}\n`;
}

function serviceJson(service: InventoryService): Json & object {
  return JSON.parse(JSON.stringify(service)) as Json & object;
}

/** Typed inputs, each service found in the cluster; or exit 3 after every problem was printed. */
export async function gatherInputs(
  request: {
    readonly runbook: Runbook;
    readonly inventory: Inventory;
    readonly world: CommandWorld;
    readonly options: Options;
  },
  environment: Environment,
): Promise<Readonly<Record<string, PlannedInput>>> {
  const { runbook, inventory, world, options } = request;
  const names = [...inventory.services.values()].flatMap(({ name, aliases }) => [name, ...aliases]);
  const find = (name: string) => {
    const service = findService(inventory, name);
    return service === undefined ? undefined : (serviceJson(service) as { readonly [key: string]: Json });
  };
  const file = inputsFile(options, environment);
  const fallback = plainFallback(world, runbook.inputs);
  const resolved = resolveInputs(
    runbook.inputs,
    {
      flags: Array.isArray(options.input) ? (options.input as readonly string[]) : [],
      ...(file === undefined ? {} : { file }),
    },
    { services: { find, names }, ...(fallback === undefined ? {} : { fallback }) },
  );
  if (!resolved.ok) {
    for (const problem of resolved.problems) environment.streams.info(sayProblem(problem));
    throw new CommandError(
      exitCodes.invalid,
      `${resolved.problems.length === 1 ? 'an input is' : `${resolved.problems.length} inputs are`} not right; nothing was started`,
    );
  }
  const inputs: [string, PlannedInput][] = [];
  for (const [name, input] of Object.entries(resolved.inputs))
    inputs.push([name, input.type === 'service' ? await locate(name, input, { inventory, world }) : input]);
  return Object.fromEntries(inputs);
}

function plainFallback(
  world: CommandWorld,
  specs: Readonly<Record<string, InputSpec>>,
): Readonly<Record<string, Json>> | undefined {
  if (world.sandbox === undefined) return undefined;
  return Object.fromEntries(
    Object.entries(world.sandbox.inputs(specs)).flatMap(([name, value]) =>
      value instanceof Secret ? [] : [[name, value as Json] as const],
    ),
  );
}

async function locate(
  name: string,
  input: Extract<PlannedInput, { value: Json }>,
  { inventory, world }: { readonly inventory: Inventory; readonly world: CommandWorld },
): Promise<PlannedInput> {
  const service = findService(inventory, (input.value as { readonly name: string }).name);
  if (service === undefined) return input;
  const found = await resolveService(service, world.readServices.kubernetes).catch((error: unknown) => {
    if (error instanceof ServiceResolutionError)
      throw new CommandError(exitCodes.preconditionFailed, `input "${name}": ${error.message}`, error.hint);
    throw error instanceof Error
      ? new CommandError(exitCodes.preconditionFailed, `input "${name}": ${error.message}`)
      : error;
  });
  if (!found.present)
    throw new CommandError(
      exitCodes.preconditionFailed,
      `input "${name}": service '${service.name}' is ${found.why}`,
      'choose another service, or another cluster with --context',
    );
  return { ...input, value: serviceJson(found.entry) };
}

/**
 * A `Secret` for each secret input. What a human must type is asked now; everything else is fetched when a step first needs it,
 * and known to the redactor before anybody can print it.
 */
export async function gatherSecrets(
  inputs: Readonly<Record<string, PlannedInput>>,
  specs: Readonly<Record<string, InputSpec>>,
  request: { readonly world: CommandWorld; readonly signal: AbortSignal },
  environment: Environment,
): Promise<Readonly<Record<string, Secret>>> {
  const { world, signal } = request;
  const simulated = world.sandbox?.inputs(specs) ?? {};
  const secrets: [string, Secret][] = [];
  for (const [name, input] of Object.entries(inputs)) {
    if (input.type !== 'secret') continue;
    const known = simulated[name];
    const fetch = async () => {
      const io = {
        takeEnv: environment.takeEnv,
        euid: environment.uid,
        prompt: world.prompt,
        kubernetes: async () => world.readServices.kubernetes,
        openbao: openbaoOf(world),
        protect: (secret: Secret) => environment.redact.add(secret),
        signal,
      };
      const secret =
        known instanceof Secret ? known : await readSecret(name, input.from, io).catch(asStepError);
      environment.redact.add(secret);
      return secret;
    };
    const secret = Secret.deferred(name, fetch);
    if ('prompt' in input.from && world.sandbox === undefined) await secret.load();
    secrets.push([name, secret]);
  }
  return Object.fromEntries(secrets);
}

function openbaoOf({ openbaoServers, readServices }: CommandWorld) {
  return openbaoServers === undefined ? undefined : { ...openbaoServers, reader: readServices.openbao };
}

function asStepError(error: unknown): never {
  if (error instanceof SecretSourceError)
    throw new StepError('secret-unreadable', error.message, {
      outcome: 'not-applied',
      hint: error.hint,
      cause: error,
    });
  throw error;
}
