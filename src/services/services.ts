import type { Clock } from './clock.ts';
import type { FileReader, FileStore } from './files.ts';
import type { HelmReader, HelmWriter } from './helm.ts';
import type { HttpClient, HttpSender } from './http.ts';
import type { KubernetesReader, KubernetesWriter } from './kubernetes.ts';
import type { LedgerReader, LedgerWriter } from './ledger.ts';
import type { NatsReader } from './nats.ts';
import type { NekStoreReader, NekStoreWriter } from './nek-store.ts';
import type { OpenBaoReader, OpenBaoWriter } from './openbao.ts';
import type { ProcessReader, ProcessRunner } from './process.ts';
import type { ServiceDirectory } from './service-directory.ts';

/** The outside world without a way to change it. */
export interface ReadServices {
  readonly clock: Clock;
  /** The service inventory as this cluster has it. */
  readonly directory: ServiceDirectory;
  readonly files: FileReader;
  readonly helm: HelmReader;
  readonly http: HttpClient;
  readonly kubernetes: KubernetesReader;
  readonly nats: NatsReader;
  readonly ledger: LedgerReader;
  readonly nekStore: NekStoreReader;
  readonly openbao: OpenBaoReader;
  readonly process: ProcessReader;
}

export interface Services extends ReadServices {
  readonly files: FileStore;
  readonly helm: HelmWriter;
  readonly http: HttpSender;
  readonly kubernetes: KubernetesWriter;
  readonly ledger: LedgerWriter;
  readonly nekStore: NekStoreWriter;
  readonly openbao: OpenBaoWriter;
  readonly process: ProcessRunner;
}
