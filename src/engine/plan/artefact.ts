import { createHash } from 'node:crypto';
import { canonicalJson, isJsonObject } from '../canonical-json.ts';
import type { JsonObject } from '../json.ts';
import type { SourceFile } from '../source-file.ts';
import type { Plan, PlanFile } from './plan.ts';

export function sha256(text: string): string {
  return createHash('sha256').update(text, 'utf8').digest('hex');
}

/** Over the contents in order. Paths are left out: the same runbook in another folder is the same. */
export function digestFiles(files: readonly SourceFile[]): Pick<Plan['runbook'], 'digest' | 'files'> {
  const each = files.map((file) => ({ path: file.path, sha256: sha256(file.text) }));
  return { digest: sha256(each.map((file) => `${file.sha256}\n`).join('')), files: each };
}

/** Completes a plan with the digest of all the rest. */
export function sealPlan(plan: Omit<Plan, 'digest'>): Plan {
  return { ...plan, digest: sha256(canonicalJson(plan)) };
}

/** Canonical JSON, one line, and a line break. */
export function serializePlan(plan: Plan): string {
  return `${canonicalJson(plan)}\n`;
}

export type ParsedPlan =
  | { readonly ok: true; readonly plan: Plan }
  | { readonly ok: false; readonly message: string; readonly hint: string };

/** A plan as `serializePlan` wrote it, or what is wrong: no plan at all, of another version, or changed since. */
export function parsePlan(text: string): ParsedPlan {
  const file = parseObject(text);
  if (file === undefined)
    return {
      ok: false,
      message: 'this is no plan file',
      hint: 'write one with "runbook plan FILE --out plan.json"',
    };
  if (file.version !== 1)
    return {
      ok: false,
      message: `this plan has version ${JSON.stringify(file.version)}, and this runbook reads version 1`,
      hint: 'plan again with this version',
    };
  const { digest, ...rest } = file;
  if (typeof digest !== 'string' || digest !== sha256(canonicalJson(rest)))
    return {
      ok: false,
      message: 'this plan was changed after it was written: its digest does not fit its content',
      hint: 'plan again; a plan is not edited by hand',
    };
  const missing = shape.find(([name, fits]) => !fits(file[name]));
  if (missing !== undefined)
    return {
      ok: false,
      message: `this plan has no valid "${missing[0]}"`,
      hint: 'plan again with this version',
    };
  return { ok: true, plan: asPlan(file) };
}

function parseObject(text: string): PlanFile | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) && 'version' in value && 'blocks' in value ? value : undefined;
  } catch {
    return undefined;
  }
}

const isText = (value: unknown): boolean => typeof value === 'string';
const isList = (value: unknown): boolean => Array.isArray(value);
const holds =
  (...fields: readonly string[]) =>
  (value: unknown): boolean =>
    isJsonObject(value) && fields.every((field) => value[field] !== undefined);

const shape: readonly (readonly [keyof Plan, (value: unknown) => boolean])[] = [
  ['tool', isText],
  ['createdAt', isText],
  ['runbook', holds('name', 'title', 'description', 'risk', 'path', 'digest', 'files')],
  ['inputSpecs', isJsonObject],
  ['inputs', isJsonObject],
  ['locks', isList],
  ['lockNamespace', isText],
  ['blocks', holds('preconditions', 'steps', 'verifications', 'rollback')],
  ['outputs', isJsonObject],
  ['forecast', isList],
  ['access', isList],
  ['duration', holds('min', 'max', 'basis')],
];

// The digest was made by this program over exactly this content, and the shape was just checked.
function asPlan(file: JsonObject): Plan {
  const plan = file as unknown as Plan;
  return { ...plan, cluster: plan.cluster, sandbox: plan.sandbox };
}
