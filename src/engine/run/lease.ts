import { createHash } from 'node:crypto';
import {
  KubernetesError,
  type KubernetesObject,
  type KubernetesReader,
  type KubernetesWriter,
  kinds,
  type ObjectRef,
  type PatchOptions,
} from '../../services/kubernetes.ts';
import type { JsonObject } from '../json.ts';
import type { Actor } from './event.ts';

const prefix = 'runbook.io';

export interface LeaseHolder {
  readonly run: string;
  readonly actor: Actor;
  /** Milliseconds. */
  readonly duration: number;
  /** '<seq>:<hash>' of the journal's last record; empty before the first. */
  readonly head: string;
  /** Milliseconds since the epoch, for people only. */
  readonly now: number;
  readonly state?: 'running' | 'waiting' | 'released';
}

/** What a Lease says about a lock. */
export interface LeaseContent {
  readonly lock: string | undefined;
  readonly run: string;
  /** Empty: nobody holds it. */
  readonly holder: string;
  readonly waiting: boolean;
  /** Milliseconds. */
  readonly duration: number;
  readonly acquired: string;
  readonly renewed: string;
  /** The journal's head as its run last told it. */
  readonly head: { readonly seq: number; readonly hash: string } | undefined;
}

/** 'runbook-' and the beginning of the lock's hash: lock names hold characters that object names may not. */
export function leaseName(lock: string): string {
  return `runbook-${createHash('sha256').update(lock).digest('hex').slice(0, 16)}`;
}

export function leaseRef(namespace: string, lock: string): ObjectRef {
  return { kind: kinds.leases, namespace, name: leaseName(lock) };
}

export function readLease(found: Pick<KubernetesObject, 'metadata' | 'spec'>): LeaseContent {
  const annotations = found.metadata.annotations ?? {};
  const spec = found.spec ?? {};
  const seconds = typeof spec.leaseDurationSeconds === 'number' ? spec.leaseDurationSeconds : 60;
  const head = /^([0-9]+):([0-9a-f]{64})$/.exec(annotations[`${prefix}/head`] ?? '');
  return {
    lock: annotations[`${prefix}/lock`],
    run: annotations[`${prefix}/run`] ?? 'unknown',
    holder: text(spec.holderIdentity),
    waiting: annotations[`${prefix}/state`] === 'waiting',
    duration: seconds * 1000,
    acquired: text(spec.acquireTime),
    renewed: text(spec.renewTime),
    head: head === null ? undefined : { seq: Number(head[1]), hash: head[2] ?? '' },
  };
}

export function leaseManifest(namespace: string, lock: string, holder: LeaseHolder): JsonObject {
  return {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: {
      name: leaseName(lock),
      namespace,
      labels: { 'app.kubernetes.io/managed-by': 'runbook' },
      annotations: annotationsOf(lock, holder),
    },
    spec: { ...specOf(holder), acquireTime: microTime(holder.now), leaseTransitions: 0 },
  };
}

/** Takes, renews or gives up a Lease as it was last seen; refused with a conflict when it has changed since. */
export function takePatch(
  found: { readonly metadata: { readonly resourceVersion: string }; readonly spec?: JsonObject },
  lock: string,
  holder: LeaseHolder,
): PatchOptions {
  const transitions = found.spec?.leaseTransitions;
  const taken =
    found.spec === undefined
      ? {}
      : {
          acquireTime: microTime(holder.now),
          leaseTransitions: (typeof transitions === 'number' ? transitions : 0) + 1,
        };
  return {
    type: 'merge',
    resourceVersion: found.metadata.resourceVersion,
    body: {
      metadata: { annotations: annotationsOf(lock, holder) },
      spec: { ...specOf(holder), ...taken },
    },
  };
}

/** What is known of a lock; undefined when nobody ever took it. */
export async function inspectLock(
  kubernetes: KubernetesReader,
  namespace: string,
  lock: string,
): Promise<LeaseContent | undefined> {
  const found = await kubernetes.get(leaseRef(namespace, lock));
  return found === undefined ? undefined : readLease(found);
}

/** Frees the lock of a dead run. False when there is nothing to free, or another run than the named one holds it. */
export async function unlock(
  kubernetes: KubernetesWriter,
  at: { readonly namespace: string; readonly lock: string },
  run: string,
): Promise<boolean> {
  const ref = leaseRef(at.namespace, at.lock);
  const found = await kubernetes.get(ref);
  if (found === undefined) return false;
  const lease = readLease(found);
  if (lease.holder === '' || lease.run !== run) return false;
  await kubernetes.patch(ref, {
    type: 'merge',
    resourceVersion: found.metadata.resourceVersion,
    body: { metadata: { annotations: { [`${prefix}/state`]: 'released' } }, spec: { holderIdentity: '' } },
  });
  return true;
}

export function isConflict(thrown: unknown): boolean {
  return thrown instanceof KubernetesError && thrown.status === 409;
}

export function wasGone(thrown: unknown): boolean {
  return thrown instanceof KubernetesError && thrown.status === 404;
}

export function errorText(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

function annotationsOf(lock: string, holder: LeaseHolder): JsonObject {
  return {
    [`${prefix}/lock`]: lock,
    [`${prefix}/run`]: holder.run,
    [`${prefix}/state`]: holder.state ?? 'running',
    ...(holder.head === '' ? {} : { [`${prefix}/head`]: holder.head }),
  };
}

function specOf(holder: LeaseHolder): JsonObject {
  const { actor, duration, now, state } = holder;
  const who = `${actor.user ?? actor.osUser} on ${actor.host}`;
  return {
    holderIdentity: state === 'released' ? '' : who,
    leaseDurationSeconds: Math.ceil(duration / 1000),
    renewTime: microTime(now),
  };
}

// Kubernetes' MicroTime wants six digits.
function microTime(now: number): string {
  return new Date(now).toISOString().replace('Z', '000Z');
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
