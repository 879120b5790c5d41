import { Secret } from '../../src/engine/secret.ts';
import type {
  KvMetadataRead,
  KvMount,
  KvPath,
  KvRead,
  OpenBaoNode,
  OpenBaoPod,
  OpenBaoWriter,
  RaftPeer,
  TokenInfo,
} from '../../src/services/openbao.ts';
import { OpenBaoError } from '../../src/services/openbao.ts';
import { FakeKv } from './fake-kv.ts';

/** OpenBao pods whose state a test sets; a pod without a node does not answer. */
export class FakeOpenBao implements OpenBaoWriter {
  readonly nodes = new Map<string, Partial<OpenBaoNode> | 'hangs'>();
  peers: readonly RaftPeer[] = [];
  readonly stepDowns: { readonly pod: string; readonly token: Secret }[] = [];
  onStepDown: (pod: string) => void = () => undefined;
  readonly kv = new FakeKv();
  /** Called after a change took place; one that throws stands for a lost answer. */
  onChange: (what: string) => void = () => undefined;
  /** Every call that changes or reads a secret, with the pod that it went to. */
  readonly calls: string[] = [];
  mounts: Readonly<Record<string, KvMount>> = {};
  token: TokenInfo = { policies: ['root'], ttl: undefined, root: true };
  /** By path; what is not there is 'deny'. Undefined: root. */
  allowed: Readonly<Record<string, readonly string[]>> | undefined;
  snapshot: readonly Uint8Array[] = [Buffer.from('snapshot')];

  async node(pod: OpenBaoPod, signal: AbortSignal): Promise<OpenBaoNode> {
    const node = this.nodes.get(pod.pod);
    if (node === 'hangs')
      return await new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(refused('stopped')), { once: true });
      });
    if (node === undefined) throw refused(`${pod.pod}: connection refused`);
    return {
      pod: pod.pod,
      initialized: true,
      sealed: false,
      version: '2.4.0',
      active: false,
      leaderAddress: 'http://10.0.0.1:8200',
      raftCommittedIndex: 100,
      raftAppliedIndex: 100,
      serverTime: 1,
      ...node,
    };
  }

  async raftPeers(): Promise<readonly RaftPeer[]> {
    if (this.peers.length === 0)
      throw new OpenBaoError('permission denied', { status: 403, outcome: 'not-applied', retryable: false });
    return this.peers;
  }

  async stepDown(pod: OpenBaoPod, token: Secret): Promise<void> {
    this.stepDowns.push({ pod: pod.pod, token });
    this.onStepDown(pod.pod);
  }

  async kvRead(pod: OpenBaoPod, at: KvPath & { readonly version?: number }): Promise<KvRead> {
    this.#called('read', pod, at);
    return this.kv.read(at);
  }

  async kvMetadata(pod: OpenBaoPod, at: KvPath): Promise<KvMetadataRead> {
    this.#called('metadata', pod, at);
    return this.kv.metadata(at);
  }

  async kvWrite(
    pod: OpenBaoPod,
    at: KvPath & { readonly cas: number; readonly data: Secret },
  ): Promise<number> {
    this.#called('write', pod, at);
    const version = this.kv.write(at);
    this.onChange('write');
    return version;
  }

  async kvConfigure(
    pod: OpenBaoPod,
    at: KvPath & { readonly casRequired?: boolean; readonly maxVersions?: number },
  ): Promise<void> {
    this.#called('configure', pod, at);
    this.kv.configure(at);
    this.onChange('configure');
  }

  async kvUndelete(pod: OpenBaoPod, at: KvPath & { readonly versions: readonly number[] }): Promise<void> {
    this.#called('undelete', pod, at);
    this.kv.undelete(at);
    this.onChange('undelete');
  }

  async mount(_: OpenBaoPod, path: string): Promise<KvMount> {
    return this.mounts[path] ?? { type: 'kv', version: '2', uuid: `mount of ${path}` };
  }

  async capabilities(_: OpenBaoPod, paths: readonly string[]): Promise<Record<string, readonly string[]>> {
    const { allowed } = this;
    return Object.fromEntries(
      paths.map((path) => [path, allowed === undefined ? ['root'] : (allowed[path] ?? ['deny'])]),
    );
  }

  async tokenInfo(): Promise<TokenInfo> {
    return this.token;
  }

  async *raftSnapshot(pod: OpenBaoPod): AsyncIterable<Uint8Array> {
    this.calls.push(`snapshot ${pod.pod}`);
    yield* this.snapshot;
  }

  snapshotProblem = async (): Promise<string | undefined> => undefined;

  async signJwt(_: OpenBaoPod, at: { readonly mount: string; readonly role: string }): Promise<Secret> {
    return Secret.fromText('jwt', `jwt of ${at.mount}/${at.role}`);
  }

  #called(what: string, pod: OpenBaoPod, at: KvPath): void {
    this.calls.push(`${what} ${pod.pod} ${at.mount}/${at.path}`);
  }
}

function refused(message: string): OpenBaoError {
  return new OpenBaoError(message, { outcome: 'not-applied', retryable: true });
}
