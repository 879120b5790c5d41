import { Secret } from '../../src/engine/secret.ts';
import {
  type KvMetadata,
  type KvMetadataRead,
  type KvPath,
  type KvRead,
  OpenBaoError,
} from '../../src/services/openbao.ts';

interface Version {
  readonly json: string;
  readonly createdTime: string;
  deletionTime: string;
  destroyed: boolean;
}

interface Entry {
  readonly versions: Map<number, Version>;
  current: number;
  casRequired: boolean;
  maxVersions: number;
}

/** A versioned key-value engine that a test fills and breaks. */
export class FakeKv {
  readonly #entries = new Map<string, Entry>();
  /** Thrown or returned instead of the next answers to reads. */
  failure: OpenBaoError | undefined;
  /** When the next versions are written, milliseconds since the epoch; undefined: a second after one another, long ago. */
  writtenAt: number | undefined;

  #entry({ mount, path }: KvPath): Entry {
    const key = `${mount}/${path}`;
    const made = this.#entries.get(key) ?? {
      versions: new Map(),
      current: 0,
      casRequired: false,
      maxVersions: 0,
    };
    this.#entries.set(key, made);
    return made;
  }

  #version(at: KvPath, version: number): Version {
    const found = this.#entry(at).versions.get(version);
    if (found === undefined) throw new Error(`there is no version ${version}`);
    return found;
  }

  /** Writes without any check, as somebody else may. Gives the new version. */
  put(at: KvPath, data: object): number {
    return this.#add(this.#entry(at), JSON.stringify(data));
  }

  #add(entry: Entry, json: string): number {
    entry.current += 1;
    const createdTime = new Date(this.writtenAt ?? Date.UTC(2026, 0, 5, 9, 0, entry.current)).toISOString();
    entry.versions.set(entry.current, { json, createdTime, deletionTime: '', destroyed: false });
    return entry.current;
  }

  delete(at: KvPath, version: number): void {
    this.#version(at, version).deletionTime = '2026-01-05T10:00:00Z';
  }

  destroy(at: KvPath, version: number): void {
    this.#version(at, version).destroyed = true;
  }

  /** The fields of a version, for a test to look at. */
  peek(at: KvPath, version = this.#entry(at).current): unknown {
    return JSON.parse(this.#version(at, version).json);
  }

  read(at: KvPath & { readonly version?: number }): KvRead {
    if (this.failure !== undefined) return { state: 'failed', error: this.failure };
    const entry = this.#entry(at);
    const number = at.version ?? entry.current;
    const version = entry.versions.get(number);
    if (version === undefined) return { state: 'not-found', reason: 'absent' };
    if (version.destroyed) return { state: 'not-found', reason: 'destroyed', version: number };
    if (version.deletionTime !== '') return { state: 'not-found', reason: 'deleted', version: number };
    const { json, createdTime } = version;
    return { state: 'found', version: number, createdTime, data: Secret.fromText('kv', json) };
  }

  metadata(at: KvPath): KvMetadataRead {
    if (this.failure !== undefined) return { state: 'failed', error: this.failure };
    const entry = this.#entry(at);
    if (entry.current === 0 && !entry.casRequired && entry.maxVersions === 0) return { state: 'not-found' };
    const versions = [...entry.versions].map(([version, { createdTime, deletionTime, destroyed }]) => ({
      version,
      createdTime,
      deletionTime,
      destroyed,
    }));
    const metadata: KvMetadata = {
      currentVersion: entry.current,
      oldestVersion: versions[0]?.version ?? 0,
      casRequired: entry.casRequired,
      maxVersions: entry.maxVersions,
      deleteVersionAfter: '0s',
      versions,
    };
    return { state: 'found', metadata };
  }

  write(at: KvPath & { readonly cas: number; readonly data: Secret }): number {
    const entry = this.#entry(at);
    if (at.cas !== entry.current)
      throw new OpenBaoError('400 check-and-set parameter did not match the current version', {
        status: 400,
        outcome: 'not-applied',
        retryable: false,
        casMismatch: true,
      });
    return at.data.revealText((json) => this.#add(entry, json));
  }

  configure(at: KvPath & { readonly casRequired?: boolean; readonly maxVersions?: number }): void {
    const entry = this.#entry(at);
    if (at.casRequired !== undefined) entry.casRequired = at.casRequired;
    if (at.maxVersions !== undefined) entry.maxVersions = at.maxVersions;
  }

  undelete(at: KvPath & { readonly versions: readonly number[] }): void {
    for (const version of at.versions) this.#version(at, version).deletionTime = '';
  }
}
