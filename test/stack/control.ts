import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import * as acknowledged from './acknowledged.ts';
import { connect } from './api.ts';
import * as cassandra from './cassandra.ts';
import { holdNode, pauseNode, releaseNodes, resumeNode } from './cassandra-nodes.ts';
import { reset as resetStack, up } from './cluster.ts';
import { waitForCassandra } from './content.ts';
import type { MasterKeyFields } from './key-format.ts';
import * as migrations from './migrations.ts';
import * as streams from './nats-streams.ts';
import {
  openBaoStatus as askOpenBao,
  raftVoters as askVoters,
  type OpenBaoStatus,
  openBaoSession,
  rootToken as readRootToken,
  sealPod,
} from './openbao.ts';
import { masterKeyPath, readDocument } from './openbao-content.ts';
import { adminKubeconfig, auditLogFile } from './paths.ts';
import { ensureServer, stopServer } from './processes.ts';
import { loadSeedData } from './seed-data.ts';
import * as seeding from './seed-keys.ts';
import { apiServer } from './servers.ts';
import { type Grant, createUser as makeUser } from './users.ts';

export { image, nextImage } from './image-names.ts';
export { cassandraPods } from './manifests/cassandra-config.ts';
export { natsPods } from './manifests/nats.ts';
export { openbaoPods } from './manifests/openbao.ts';
export { natsStreams } from './nats-streams.ts';
export { releaseOpenBao, setUnsealDelay } from './openbao.ts';
export { openBaoAuditLog, openBaoAuditOffsets, openBaoAuditText } from './openbao-audit.ts';
export { startApiProxy, startProxy } from './proxy.ts';

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

/** Makes the active OpenBao pod give up leadership. */
export async function stepDownOpenBao(): Promise<void> {
  await askActiveOpenBao('PUT', 'sys/step-down');
}

/** The token that ESS takes, also found in OpenBao: field `token` of `tokens/probe` on `services/ess-api/kv`. */
export async function essBearer(): Promise<string> {
  requireOwn('essBearer');
  return (await loadSeedData()).bearer;
}

/** The root token of OpenBao. */
export function rootToken(): Promise<string> {
  requireOwn('rootToken');
  return readRootToken(connect());
}

/** Calls OpenBao's API on the active pod with the root token: method, path behind `/v1/`, body. */
export async function askActiveOpenBao(method: string, path: string, body?: object): Promise<unknown> {
  requireOwn('askActiveOpenBao');
  return (await openBaoSession(connect()))(method, path, body);
}

/** The master key document as it is now. */
export function readMasterKeys() {
  requireOwn('readMasterKeys');
  return readDocument(connect());
}

/** Writes the master key document as a blind writer does, without a check. */
export async function writeMasterKeys(fields: MasterKeyFields): Promise<void> {
  await askActiveOpenBao('POST', `${masterKeyPath.mount}/data/${masterKeyPath.path}`, { data: fields });
}

/** All rows of a CQL statement, as the superuser, at LOCAL_QUORUM. */
export function cql(statement: string, parameters: unknown[] = []): Promise<cassandra.Row[]> {
  requireOwn('cql');
  return cassandra.cql(connect(), statement, parameters);
}

/** Adds namespaces with keys, and secrets under them. `reset` takes them away again. */
export function seedKeys(size: seeding.SeedSize): Promise<void> {
  requireOwn('seedKeys');
  return seeding.seedKeys(connect(), size);
}

/** Asks every pod of ESS for every secret that ESS or the seed ever acknowledged. */
export function everySecretReadable(): Promise<acknowledged.Verdict> {
  requireOwn('everySecretReadable');
  return acknowledged.everySecretReadable(connect());
}

/** Asks every pod of API Keys about every key that it or the seed ever issued. */
export function everyApiKeyValid(): Promise<acknowledged.Verdict> {
  requireOwn('everyApiKeyValid');
  return acknowledged.everyApiKeyValid(connect());
}

/** Writes, reads or deletes one secret through one pod of ESS, the first unless another is named. */
export function askEss(
  method: 'PUT' | 'GET' | 'DELETE',
  place: acknowledged.SecretPlace,
  data?: object,
  pod = 0,
) {
  requireOwn('askEss');
  return acknowledged.askEss(connect(), method, place, data, pod);
}

/** Has API Keys issue a key; answers the key. */
export function issueApiKey(owner: string): Promise<string> {
  requireOwn('issueApiKey');
  return acknowledged.issueApiKey(connect(), owner);
}

/** Runs the migrations Job of the OpenBao chart, well-behaved or with a read that fails. */
export function runMigrations(options: { readFails?: boolean } = {}) {
  requireOwn('runMigrations');
  return migrations.runMigrations(connect(), options);
}

/** Stops a node of Cassandra where it is: connections stay open, nothing is answered. `resumeCassandra` ends it. */
export function pauseCassandra(pod: string): void {
  requireOwn('pauseCassandra');
  pauseNode(pod);
}

/** Lets a paused node go on. */
export function resumeCassandra(pod: string): void {
  requireOwn('resumeCassandra');
  resumeNode(pod);
}

/** Takes a node of Cassandra away until `releaseCassandra` or `reset`. */
export async function holdCassandra(pod: string): Promise<void> {
  requireOwn('holdCassandra');
  await holdNode(connect(), pod);
}

/** Takes back every pause and hold, and waits for three nodes. */
export async function releaseCassandra(): Promise<void> {
  requireOwn('releaseCassandra');
  releaseNodes();
  await waitForCassandra(connect());
}

/** A stream of NATS as its leader has it; undefined when there is none. */
export function natsStream(name: string): Promise<streams.StreamInfo | undefined> {
  requireOwn('natsStream');
  return streams.streamInfo(connect(), name);
}

/** Puts so many messages into a stream of NATS. `reset` takes them out again. */
export function publishToNats(name: string, count: number): Promise<void> {
  requireOwn('publishToNats');
  return streams.publish(connect(), name, count);
}

/** Takes a stream of NATS away. `reset` makes it again. */
export function deleteNatsStream(name: string): Promise<void> {
  requireOwn('deleteNatsStream');
  return streams.deleteStream(connect(), name);
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
