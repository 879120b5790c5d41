import type { JsonObject } from '../engine/json.ts';
import type { Secret } from '../engine/secret.ts';
import type { ChildIdentity } from './process.ts';

/** A release in its namespace. */
export interface ReleaseRef {
  readonly namespace: string;
  readonly release: string;
}

/**
 * 'deployed', 'superseded', 'failed', 'uninstalling', 'uninstalled', 'pending-install', 'pending-upgrade', 'pending-rollback',
 * 'unknown'. A `pending-*` one has a client at work, or had one that died.
 */
export type ReleaseStatus = string;

export interface HelmRevision {
  readonly revision: number;
  /** RFC 3339, by the clock of the machine that ran Helm. */
  readonly updated: string;
  readonly status: ReleaseStatus;
  readonly chart: string;
  readonly chartVersion: string;
  readonly appVersion: string;
  /** 'Upgrade complete', 'Rollback to 3', why it failed; what it may quote of an object or of values is taken out. */
  readonly description: string;
}

export type HelmListed = ReleaseRef & Omit<HelmRevision, 'description'>;

/** An object of a chart that Helm creates by itself at certain events, most often a Job that it waits for. */
export interface HelmHook {
  readonly kind: string;
  readonly name: string;
  /** 'pre-upgrade', 'post-upgrade', 'pre-rollback', … */
  readonly events: readonly string[];
  readonly weight: number;
  /** 'Running', 'Succeeded', 'Failed', 'Unknown'; empty: it did not run in this revision. */
  readonly phase: string;
  readonly object: JsonObject;
}

/** What a chart and its values come to. */
export interface HelmContent {
  readonly chart: string;
  readonly chartVersion: string;
  readonly appVersion: string;
  /** As rendered, values of Secrets included: masked before anything of them is shown. */
  readonly objects: readonly JsonObject[];
  readonly hooks: readonly HelmHook[];
  /** The values that the user supplied, as one JSON object, UTF-8. */
  readonly values: Secret;
}

export type HelmRelease = ReleaseRef & HelmRevision & HelmContent;

export interface HelmRendering extends HelmContent {
  /** 'sha256:…' of the manifest in the registry, of an archive's bytes; empty for a folder. */
  readonly digest: string;
}

export interface HelmChartRef {
  /** 'oci://registry/repository/chart', or the path of a chart's folder or archive. */
  readonly chart: string;
  /** Exactly this one. */
  readonly version: string;
  /** The chart must have this digest; only for charts that have one. */
  readonly digest?: string;
  /** The registry speaks plain http; on loopback only. */
  readonly plainHttp?: boolean;
}

/** The values file's content (YAML), or those of the release over the new chart's own ones (`--reset-then-reuse-values`). */
export type HelmValues = { readonly file: Secret } | 'reuse';

export type HelmTarget = ReleaseRef & HelmChartRef & { readonly values: HelmValues };

export interface HelmRun {
  readonly signal: AbortSignal;
  /** Called with the client's identity before it is awaited. */
  readonly onStart: (client: ChildIdentity) => Promise<void>;
  /** How long Helm itself waits for each of its operations, milliseconds. */
  readonly timeout: number;
}

export type HelmReason =
  | 'missing'
  | 'wrong-version'
  | 'release-missing'
  | 'pending'
  | 'chart-missing'
  | 'digest-moved'
  | 'values'
  | 'unreachable'
  | 'forbidden'
  | 'failed';

/** A failed call: place and cause in the message, the next step in `hint`. Never carries a value, an object or a credential. */
export class HelmError extends Error {
  readonly reason: HelmReason;
  /** 'unknown' on a change: it may have begun, only the release can tell. */
  readonly outcome: 'not-applied' | 'unknown';
  readonly retryable: boolean;
  readonly hint: string | undefined;

  constructor(
    message: string,
    options: {
      readonly reason: HelmReason;
      readonly outcome: 'not-applied' | 'unknown';
      readonly retryable: boolean;
      readonly hint?: string | undefined;
      readonly cause?: unknown;
    },
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'HelmError';
    this.reason = options.reason;
    this.outcome = options.outcome;
    this.retryable = options.retryable;
    this.hint = options.hint;
  }
}

/** Releases as Helm 3 keeps them. Every method rejects with `HelmError`. */
export interface HelmReader {
  /** 'v3.19.5'; refuses any other major version, and a version that lacks what is used here. */
  version(signal: AbortSignal): Promise<string>;
  /** The newest revision of every release, whatever its status; of all namespaces without one. */
  list(where: { readonly namespace?: string }, signal: AbortSignal): Promise<readonly HelmListed[]>;
  /** The revisions that are kept, oldest first; never empty. */
  history(at: ReleaseRef, signal: AbortSignal): Promise<readonly HelmRevision[]>;
  /** The newest revision, or the one asked for. */
  release(at: ReleaseRef & { readonly revision?: number }, signal: AbortSignal): Promise<HelmRelease>;
  /** The values that the user supplied, as YAML: what `-f` takes again. */
  values(at: ReleaseRef & { readonly revision?: number }, signal: AbortSignal): Promise<Secret>;
  /** What an upgrade would apply, by a dry run on the server. */
  render(target: HelmTarget, signal: AbortSignal): Promise<HelmRendering>;
  /** Whether the newest revision carries this operation's key, be it pending, failed or deployed. */
  isMarked(at: ReleaseRef & { readonly operation: string }, signal: AbortSignal): Promise<boolean>;
  /** Whether a client of ours still runs; 'unknown' when it ran on another machine or before this one was started. */
  client(identity: ChildIdentity): 'alive' | 'ended' | 'unknown';
}

export interface HelmUpgraded {
  readonly revision: number;
  readonly chartVersion: string;
  readonly appVersion: string;
  readonly digest: string;
}

export interface HelmWriter extends HelmReader {
  /**
   * Waits for workloads, Jobs and hooks. The operation's key is in the description of a revision that came to a good end, and in
   * a label of the revision from the first moment on.
   */
  upgrade(target: HelmTarget & { readonly operation: string }, run: HelmRun): Promise<HelmUpgraded>;
  /** A new revision with the chart, values and objects of an earlier one. Helm gives it no key: it says 'Rollback to N'. */
  rollback(at: ReleaseRef & { readonly revision: number }, run: HelmRun): Promise<void>;
}
