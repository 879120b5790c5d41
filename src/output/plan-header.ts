import path from 'node:path';
import { formatDuration } from '../engine/duration.ts';
import type { Json } from '../engine/json.ts';
import type { Plan, PlannedInput } from '../engine/plan/plan.ts';
import type { SecretSource } from '../engine/read/runbook.ts';

type Put = (text: string, indent?: number, hang?: number) => void;

const LABEL = 10;

/** What is planned, where, with what, and how long it may take. */
export function planHeader(plan: Plan, put: Put): void {
  const field = (label: string, text: string) => put(`${label.padEnd(LABEL)}${text}`, 2, 2 + LABEL);
  put(plan.runbook.title);
  field('runbook', `${plan.runbook.name} (${plan.runbook.path})`);
  field('cluster', sayCluster(plan));
  for (const [index, [name, input]] of Object.entries(plan.inputs).entries())
    field(index === 0 ? 'inputs' : '', `${name} = ${sayInput(input)}`);
  field('risk', plan.runbook.risk);
  field('locks', plan.locks.length === 0 ? 'none' : plan.locks.join(', '));
  field('takes', sayTime(plan));
}

function sayCluster({ cluster, sandbox }: Plan): string {
  if (sandbox !== undefined) {
    const faults = sandbox.faults.length === 0 ? '' : `, with faults: ${sandbox.faults.join(', ')}`;
    const from = sandbox.from === undefined ? '' : `, as ${path.basename(sandbox.from)} left it`;
    return `sandbox (seed ${sandbox.seed}${from}${faults})`;
  }
  if (cluster === undefined) return 'none needed';
  return `${cluster.context} (${cluster.server}), Kubernetes ${cluster.version}`;
}

function sayInput(input: PlannedInput): string {
  if (input.type === 'secret') return saySource(input.from);
  const given = input.given ? '' : ' (default)';
  return `${input.type === 'service' ? sayService(input.value) : sayValue(input.value)}${given}`;
}

/** A service by its name, as it was asked for. */
function sayService(value: Json): string {
  const name = typeof value === 'object' && value !== null && 'name' in value ? value.name : undefined;
  return typeof name === 'string' ? name : sayValue(value);
}

function sayValue(value: Json): string {
  return typeof value === 'string' && /^[^\s"]+$/.test(value) ? value : JSON.stringify(value);
}

/** A secret is told by where it comes from. */
function saySource(from: SecretSource): string {
  if ('env' in from) return `secret, from environment variable ${from.env}`;
  if ('file' in from) return `secret, from file ${from.file}`;
  if ('prompt' in from) return 'secret, asked for at the terminal';
  if ('kubernetes' in from) {
    const { namespace, name, key } = from.kubernetes;
    return `secret, from Secret ${namespace}/${name}, key ${key}`;
  }
  const { path, field, version } = from.openbao;
  return `secret, from OpenBao ${path}, field ${field}${version === undefined ? '' : `, version ${version}`}`;
}

function sayTime({ duration }: Plan): string {
  const { min, max, basis } = duration;
  if (max === 0) return basis;
  const times = min === max ? formatDuration(min) : `${formatDuration(min)} to ${formatDuration(max)}`;
  return `${times} (${basis}), without the time people take to answer`;
}
