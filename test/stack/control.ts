import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { connect } from './api.ts';
import { reset as resetStack, up } from './cluster.ts';
import {
  openBaoStatus as askOpenBao,
  raftVoters as askVoters,
  type OpenBaoStatus,
  sealPod,
} from './openbao.ts';
import { adminKubeconfig, auditLogFile } from './paths.ts';
import { ensureServer, stopServer } from './processes.ts';
import { apiServer } from './servers.ts';
import { type Grant, createUser as makeUser } from './users.ts';

export { image, nextImage } from './image-names.ts';
export { openbaoPods } from './manifests/openbao.ts';
export { releaseOpenBao, setUnsealDelay } from './openbao.ts';

/** The cluster that tests talk to. */
export interface Stack {
  /** Kubeconfig of an administrator, with one context. */
  kubeconfig: string;
  /** Path of the API server's audit log; undefined on a cluster that is not ours. */
  auditLog: string | undefined;
  /** Is it the cluster of this folder, whose servers a test may stop? */
  own: boolean;
}

/** One entry of the API server's audit log, as far as tests look at it. */
export interface AuditEntry {
  auditID: string;
  stage: 'ResponseStarted' | 'ResponseComplete' | 'Panic';
  verb: string;
  requestURI: string;
  userAgent?: string;
  user: { username: string; groups?: string[] };
  objectRef?: {
    resource?: string;
    namespace?: string;
    name?: string;
    subresource?: string;
    apiGroup?: string;
  };
  responseStatus?: { code?: number; reason?: string };
  requestReceivedTimestamp: string;
}

/** The cluster of `RUNBOOK_TEST_KUBECONFIG`, or else our own, started if necessary. */
export async function ensureUp(): Promise<Stack> {
  const foreign = process.env.RUNBOOK_TEST_KUBECONFIG;
  if (foreign) return { kubeconfig: foreign, auditLog: undefined, own: false };
  await up();
  return { kubeconfig: adminKubeconfig(), auditLog: auditLogFile(), own: true };
}

/** Brings all workloads back to their first state. */
export async function reset(): Promise<void> {
  requireOwn('reset');
  await resetStack();
}

/** Ends the API server; everything else goes on running. */
export async function stopApiServer(): Promise<void> {
  requireOwn('stopApiServer');
  await stopServer('kube-apiserver', 1);
}

/** Starts the API server and waits until it is ready. */
export async function startApiServer(): Promise<void> {
  requireOwn('startApiServer');
  await ensureServer(apiServer());
}

/** Ends and starts the API server: every open connection and watch breaks. */
export async function restartApiServer(): Promise<void> {
  await stopApiServer();
  await startApiServer();
}

/** Where the audit log ends now; later entries lie behind this offset. */
export function auditOffset(): number {
  requireOwn('auditOffset');
  return statSync(auditLogFile()).size;
}

/**
 * Entries of the audit log behind an offset, and the offset behind them.
 * An entry is written when its call is answered, so the newest one may come a moment later.
 */
export function readAuditLog(sinceOffset = 0): { entries: AuditEntry[]; offset: number } {
  requireOwn('readAuditLog');
  const file = openSync(auditLogFile(), 'r');
  try {
    const buffer = Buffer.alloc(Math.max(0, fstatSync(file).size - sinceOffset));
    readSync(file, buffer, 0, buffer.length, sinceOffset);
    // The last line may still be in the making.
    const complete = buffer.subarray(0, buffer.lastIndexOf('\n') + 1);
    const lines = complete.toString('utf8').split('\n').filter(Boolean);
    return {
      entries: lines.map((line) => JSON.parse(line) as AuditEntry),
      offset: sinceOffset + complete.length,
    };
  } finally {
    closeSync(file);
  }
}

/** Seal state of every OpenBao pod. */
export async function openBaoStatus(): Promise<OpenBaoStatus[]> {
  requireOwn('openBaoStatus');
  return askOpenBao(connect());
}

/** Names of the raft voters. */
export async function raftVoters(): Promise<string[]> {
  requireOwn('raftVoters');
  return askVoters(connect());
}

/**
 * Seals one OpenBao pod: the active one over its API, a standby by a new pod, since a standby refuses to be sealed.
 * The sidecar unseals it after its delay; with `hold` it stays sealed until `releaseOpenBao` or `reset`.
 */
export async function sealOpenBao(pod: string, { hold = false }: { hold?: boolean } = {}): Promise<void> {
  requireOwn('sealOpenBao');
  await sealPod(connect(), pod, hold);
}

/** Ends a pod with hardly any grace, as a failure would. Its controller makes a new one. */
export async function killPod(namespace: string, name: string): Promise<void> {
  await stackConnection().core.deleteNamespacedPod({ name, namespace, gracePeriodSeconds: 1 });
}

/** Makes a user with only the given rights; answers the path of their kubeconfig. `reset` removes the user. */
export function createUser(name: string, grants: Grant[]): Promise<string> {
  return makeUser(stackConnection(), name, grants);
}

function stackConnection() {
  return connect(process.env.RUNBOOK_TEST_KUBECONFIG || undefined);
}

function requireOwn(operation: string): void {
  if (process.env.RUNBOOK_TEST_KUBECONFIG) {
    throw new Error(`${operation} works only on the stack's own cluster, not on RUNBOOK_TEST_KUBECONFIG`);
  }
}
