import type { Access } from '../access.ts';
import { checkAccess, engineAccess } from './access.ts';
import { digestFiles, sealPlan } from './artefact.ts';
import { type Span, together } from './estimate.ts';
import type { Plan, PlannedCluster } from './plan.ts';
import { describeRunbook, newPlanner, type Planner, type PlanRequest, type Spot } from './planner.ts';
import { accessFailure, type PlanProblem, sayError } from './problem.ts';
import { noteServiceAccess } from './service-access.ts';
import { walkNodes } from './walk.ts';
import { noteLocks, renderOutputs } from './walk-include.ts';

export type { PlanOptions, PlanRequest } from './planner.ts';
export { type PlanProblem, planExitCode } from './problem.ts';

export interface Planned {
  readonly plan: Plan;
  /** Empty: nothing speaks against a run. */
  readonly problems: readonly PlanProblem[];
}

/**
 * What a run would do, asked of the world without changing it. A plan comes out in every case; problems say what stands in the way of
 * running it. Rejects only when the signal aborts, or on a mistake of ours.
 */
export async function makePlan(request: PlanRequest): Promise<Planned> {
  const planner = newPlanner(request);
  const { runbook, options } = request;
  noteLocks(planner, runbook.locks, { instance: '@steps', at: describeRunbook(runbook).path });
  const spans = [
    await walkBlock(planner, 'preconditions'),
    await walkBlock(planner, 'steps'),
    await walkBlock(planner, 'verifications'),
  ];
  await walkBlock(planner, 'rollback');
  renderOutputs(planner, runbook.outputs, '@steps');
  const locks = [...planner.locks].sort();
  const cluster = await pinCluster(planner, locks);
  if (cluster !== undefined) {
    planner.access.add(engineAccess(options.lockNamespace, locks), 'the run itself');
    noteSecretAccess(planner);
    noteServiceAccess(planner);
    if (planner.offline === undefined)
      planner.problems.push(...(await checkAccess(planner.access, request.services.kubernetes)));
  }
  return {
    plan: assemble(planner, { locks, cluster, span: together(spans, 1) }),
    problems: planner.problems,
  };
}

async function walkBlock(planner: Planner, block: Spot['block']): Promise<Span> {
  const rollback = block === 'rollback';
  const spot: Spot = {
    container: `@${block}`,
    block,
    depth: 0,
    doubt: rollback ? 'only in a rollback' : undefined,
    live: !rollback,
    shown: true,
    gateOf: undefined,
  };
  const { span } = await walkNodes(planner, planner.request.runbook[block], { spot, parallel: 1 });
  return span;
}

/** A runbook that has nothing to do with a cluster needs none. */
async function pinCluster(planner: Planner, locks: readonly string[]): Promise<PlannedCluster | undefined> {
  const { options, services } = planner.request;
  if (options.cluster !== undefined) return options.cluster;
  if (planner.offline !== undefined) return undefined;
  const needed = locks.length > 0 || planner.access.all().some((access) => access.system === 'kubernetes');
  if (!needed) return undefined;
  try {
    return await services.kubernetes.identity();
  } catch (error) {
    planner.problems.push({ kind: accessFailure(error) ?? 'unreachable', ...sayError(error) });
    planner.offline = 'not asked: the cluster gave no answer before';
    return undefined;
  }
}

function noteSecretAccess(planner: Planner): void {
  for (const [name, input] of Object.entries(planner.request.inputs)) {
    if (input.type !== 'secret') continue;
    const { from } = input;
    const by = `input ${name}`;
    if ('kubernetes' in from) {
      const { namespace, name: secret } = from.kubernetes;
      const access = {
        system: 'kubernetes',
        verb: 'get',
        group: '',
        resource: 'secrets',
        namespace,
      } as const;
      planner.access.add([{ ...access, name: secret }], by);
    }
    if ('openbao' in from)
      planner.access.add([{ system: 'openbao', path: from.openbao.path, capabilities: ['read'] }], by);
  }
}

interface Gathered {
  readonly locks: readonly string[];
  readonly cluster: PlannedCluster | undefined;
  readonly span: Span;
}

function assemble(planner: Planner, { locks, cluster, span }: Gathered): Plan {
  const { runbook, inputs, options } = planner.request;
  const { preconditions, steps, verifications, rollback } = runbook;
  const access: readonly Access[] = planner.access.all();
  const { services } = planner.source.plan;
  return sealPlan({
    version: 1,
    tool: options.tool,
    createdAt: new Date(options.now).toISOString(),
    runbook: {
      ...describeRunbook(runbook),
      ...digestFiles(runbook.files),
      // An include that is skipped for certain puts nothing at risk.
      risk: (['high', 'medium', 'low'] as const).find((risk) => planner.risks.has(risk)) ?? runbook.risk,
    },
    inputSpecs: runbook.inputs,
    inputs,
    ...(services === undefined ? {} : { services }),
    cluster,
    sandbox: options.sandbox,
    locks,
    lockNamespace: options.lockNamespace,
    blocks: { preconditions, steps, verifications, rollback },
    outputs: runbook.outputs,
    forecast: planner.forecast,
    access,
    duration: { ...span, basis: basisOf(planner) },
  });
}

/** Where the figures come from: 'predictions of 3 steps, past runs of 2; 1 step without a figure'. */
function basisOf({ basis }: Planner): string {
  const steps = (count: number) => `${count} ${count === 1 ? 'step' : 'steps'}`;
  const known = [
    ...(basis.predicted > 0 ? [`predictions of ${steps(basis.predicted)}`] : []),
    ...(basis.past > 0 ? [`past runs of ${steps(basis.past)}`] : []),
  ];
  const without = basis.without > 0 ? [`${steps(basis.without)} without a figure`] : [];
  const said = [known.join(', '), ...without].filter((text) => text !== '');
  return said.length === 0 ? 'no time worth naming' : said.join('; ');
}
