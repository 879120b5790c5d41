import type { JsonObject } from '../../engine/json.ts';
import { type KubernetesObject, type KubernetesWriter, kinds } from '../../services/kubernetes.ts';
import { otherKinds } from '../catalog.ts';
import type { Machine } from '../machine.ts';
import { upgradePatch } from './merge.ts';
import {
  fromSecret,
  type HookRecord,
  objectsOf,
  type ReleaseRecord,
  secretName,
  toSecret,
} from './records.ts';
import { isSettled, jobVerdict } from './waiting.ts';

/** Helm gives up; the text is what it prints. */
export class HelmFailed extends Error {}
/** The client is gone: it does and records nothing more. */
export class ClientKilled extends Error {}

export interface ClientOptions {
  readonly machine: Machine;
  readonly kubernetes: Pick<KubernetesWriter, 'get' | 'list' | 'create' | 'patch' | 'delete' | 'kind'>;
  /** SIGTERM. */
  readonly signal: AbortSignal;
  /** SIGKILL. */
  readonly killed: AbortSignal;
  /** How long it waits for each of its operations, milliseconds. */
  readonly timeout: number;
}

/** Revisions that Helm keeps of a release. */
const KEPT = 10;
const PAUSE = 1_000;

/** What a Helm client does to the simulated cluster, call by call: a kill between two of them leaves what a real one leaves. */
export class Client {
  readonly #options: ClientOptions;

  constructor(options: ClientOptions) {
    this.#options = options;
  }

  now(): string {
    return new Date(this.#options.machine.clock.now()).toISOString();
  }

  /** Oldest first. */
  async history(at: {
    readonly namespace: string;
    readonly release: string;
  }): Promise<readonly ReleaseRecord[]> {
    const labelSelector = `owner=helm,name=${at.release}`;
    const secrets = await this.#api().list(kinds.secrets, { namespace: at.namespace, labelSelector });
    return secrets.map(fromSecret).sort((one, other) => one.version - other.version);
  }

  async create(record: ReleaseRecord): Promise<void> {
    await this.#prune(record);
    await this.#api().create(toSecret(record));
  }

  async store(record: ReleaseRecord): Promise<void> {
    const { metadata, data } = toSecret(record) as { metadata: JsonObject; data: JsonObject };
    const ref = { kind: kinds.secrets, namespace: record.namespace, name: secretName(record) };
    await this.#api().patch(ref, {
      type: 'merge',
      body: { metadata: { labels: metadata.labels ?? {} }, data },
    });
  }

  /** Takes the cluster from one manifest to another. */
  async apply(before: ReleaseRecord, after: ReleaseRecord): Promise<void> {
    const old = new Map(objectsOf(before).map((object) => [keyOf(object), object]));
    const wanted = objectsOf(after);
    for (const object of wanted) await this.#put(old.get(keyOf(object)), object);
    const kept = new Set(wanted.map(keyOf));
    for (const [key, object] of old) if (!kept.has(key)) await this.#remove(object);
  }

  /** `--wait`. */
  async settle(record: ReleaseRecord): Promise<void> {
    const refs = await Promise.all(objectsOf(record).map((object) => this.#refOf(object)));
    await this.#until(async () => {
      for (const ref of refs) {
        const live = await this.#api().get(ref);
        if (live === undefined || !isSettled(live)) return undefined;
      }
      return true;
    });
  }

  /** Runs the Jobs of an event one after the other; each must succeed. Gives the hooks with how they ran. */
  async runHooks(record: ReleaseRecord, event: string): Promise<readonly HookRecord[]> {
    let { hooks } = record;
    const due = hooks.filter(({ events }) => events.includes(event));
    const ordered = [...due].sort((a, b) => a.weight - b.weight || (a.name < b.name ? -1 : 1));
    for (const hook of ordered) {
      const started = this.now();
      const note = async (phase: string) => {
        const last_run = { started_at: started, completed_at: phase === 'Running' ? '' : this.now(), phase };
        hooks = hooks.map((one) => (one.name === hook.name ? { ...one, last_run } : one));
        await this.store({ ...record, hooks });
      };
      await note('Running');
      const failure = await this.#runJob(JSON.parse(hook.manifest) as JsonObject);
      await note(failure === undefined ? 'Succeeded' : 'Failed');
      if (failure === undefined) continue;
      throw new HookFailed(`${event} hooks failed: 1 error occurred:\n\t* ${failure}\n\n`, hooks);
    }
    return hooks;
  }

  async #runJob(job: JsonObject): Promise<string | undefined> {
    const { name, namespace } = job.metadata as { readonly name: string; readonly namespace: string };
    const ref = { kind: otherKinds.jobs, namespace, name };
    if ((await this.#api().get(ref)) !== undefined) {
      await this.#api().delete(ref, { propagation: 'Background' });
      await this.#sleep();
    }
    await this.#api().create(job);
    try {
      const verdict = await this.#until(async () => {
        const live = await this.#api().get(ref);
        return live === undefined ? undefined : jobVerdict(live);
      });
      return verdict === 'succeeded' ? undefined : `job ${name} failed: ${verdict.failed}`;
    } catch (failure) {
      if (failure instanceof ClientKilled || this.#options.signal.aborted) throw failure;
      return 'timed out waiting for the condition';
    }
  }

  async #put(before: JsonObject | undefined, after: JsonObject): Promise<void> {
    const ref = await this.#refOf(after);
    const live: KubernetesObject | undefined = await this.#api().get(ref);
    if (live === undefined) await this.#api().create(after);
    else await this.#api().patch(ref, { type: 'strategic', body: upgradePatch(before, after) });
  }

  async #remove(object: JsonObject): Promise<void> {
    const ref = await this.#refOf(object);
    if ((await this.#api().get(ref)) !== undefined)
      await this.#api().delete(ref, { propagation: 'Background' });
  }

  async #refOf(object: JsonObject) {
    const { name, namespace } = object.metadata as { readonly name: string; readonly namespace: string };
    return { kind: await this.#api().kind(String(object.kind)), namespace, name };
  }

  /** Never the deployed one, which a rollback may need. */
  async #prune(record: ReleaseRecord): Promise<void> {
    const history = await this.history({ namespace: record.namespace, release: record.name });
    const spare = history.filter(({ info }) => info.status !== 'deployed');
    for (const old of spare.slice(0, Math.max(0, history.length - KEPT + 1)))
      await this.#api().delete(
        { kind: kinds.secrets, namespace: old.namespace, name: secretName(old) },
        { propagation: 'Background' },
      );
  }

  async #until<T>(look: () => Promise<T | undefined>): Promise<T> {
    const { machine, timeout } = this.#options;
    const deadline = machine.clock.now() + timeout;
    for (;;) {
      const found = await look();
      if (found !== undefined) return found;
      if (machine.clock.now() >= deadline) throw new HelmFailed('context deadline exceeded');
      await this.#sleep();
    }
  }

  async #sleep(): Promise<void> {
    const { machine, signal, killed } = this.#options;
    await machine.clock.sleep(PAUSE, AbortSignal.any([signal, killed]));
    if (!killed.aborted && signal.aborted) throw new HelmFailed('context canceled');
  }

  #api(): ClientOptions['kubernetes'] {
    if (this.#options.killed.aborted) throw new ClientKilled('the client was killed');
    return this.#options.kubernetes;
  }
}

export class HookFailed extends HelmFailed {
  readonly hooks: readonly HookRecord[];

  constructor(message: string, hooks: readonly HookRecord[]) {
    super(message);
    this.hooks = hooks;
  }
}

function keyOf(object: JsonObject): string {
  const { name, namespace } = object.metadata as { readonly name: string; readonly namespace?: string };
  return `${String(object.apiVersion)} ${String(object.kind)} ${namespace ?? ''}/${name}`;
}
