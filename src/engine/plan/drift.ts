import type { Runbook } from '../read/runbook.ts';
import { digestFiles } from './artefact.ts';
import type { Plan, PlannedCluster } from './plan.ts';

/** One thing that is no longer as the plan saw it. */
export interface Drift {
  /** 'runbook restart.yaml', 'cluster' */
  readonly what: string;
  readonly was: string;
  readonly now: string;
}

export interface Present {
  readonly runbook: Pick<Runbook, 'files'>;
  readonly tool: string;
  /** Undefined where the plan needed none. */
  readonly cluster: PlannedCluster | undefined;
}

/**
 * What moved between a saved plan and now: the runbook or an include, this program, the cluster behind the context. Empty: the plan
 * may run. Objects in the cluster are compared by their witnesses, each just before the step that changes it.
 */
export function planDrift(plan: Plan, present: Present): readonly Drift[] {
  return [
    ...fileDrift(plan, present.runbook),
    ...toolDrift(plan, present.tool),
    ...clusterDrift(plan, present),
  ];
}

/** 'the runbook restart.yaml changed: was 3fa9c1…, is 77b0e2…' */
export function sayDrift({ what, was, now }: Drift): string {
  return `${what} changed: was ${was}, is ${now}`;
}

function fileDrift(plan: Plan, runbook: Present['runbook']): readonly Drift[] {
  const current = digestFiles(runbook.files);
  if (current.digest === plan.runbook.digest) return [];
  const drifts: Drift[] = [];
  const count = Math.max(current.files.length, plan.runbook.files.length);
  for (let index = 0; index < count; index += 1) {
    const was = plan.runbook.files[index];
    const now = current.files[index];
    if (was?.sha256 === now?.sha256) continue;
    const kind = index === 0 ? 'runbook' : 'include';
    drifts.push({ what: `${kind} ${(was ?? now)?.path}`, was: short(was?.sha256), now: short(now?.sha256) });
  }
  return drifts;
}

function toolDrift(plan: Plan, tool: string): readonly Drift[] {
  return plan.tool === tool ? [] : [{ what: 'runbook program', was: plan.tool, now: tool }];
}

function clusterDrift(plan: Plan, { cluster }: Present): readonly Drift[] {
  if (plan.cluster === undefined || plan.cluster.uid === cluster?.uid) return [];
  return [{ what: 'cluster', was: sayCluster(plan.cluster), now: sayCluster(cluster) }];
}

function sayCluster(cluster: PlannedCluster | undefined): string {
  if (cluster === undefined) return 'none';
  return `${cluster.context} (${cluster.server}, kube-system ${cluster.uid})`;
}

function short(sha256: string | undefined): string {
  return sha256 === undefined ? 'not there' : sha256.slice(0, 12);
}
