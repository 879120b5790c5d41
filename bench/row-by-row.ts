import { Secret } from '../src/engine/secret.ts';
import { type MekDocument, parseMekDocument } from '../src/keys/mek-document.ts';
import { createSystemClock } from '../src/services/clock-system.ts';
import { createKubernetes } from '../src/services/kubernetes-real.ts';
import type { NekRow } from '../src/services/nek-store.ts';
import { createNekStore } from '../src/services/nek-store-real.ts';
import { createProcessRunner } from '../src/services/process-node.ts';
import { sendSignal } from '../test/fakes/send-signal.ts';
import { readMasterKeys } from '../test/stack/control.ts';
import { rewrapOne } from './rewrap-one.ts';

const target = {
  namespace: 'cassandra-system',
  selector: 'app.kubernetes.io/name=cassandra',
  keyspace: 'ess_api',
  datacenter: 'ncp',
  username: Secret.fromText('username', 'cassandra'),
  password: Secret.fromText('password', 'cassandra'),
};
const never = new AbortController().signal;

async function masterKeys(): Promise<MekDocument> {
  const read = parseMekDocument(Buffer.from(JSON.stringify((await readMasterKeys()).fields)));
  if (!read.ok) throw new Error(read.problems.join(' '));
  return read.document;
}

/** Re-encrypts the namespaces with that prefix by a plain loop with so many keys in flight; keys in a second. */
export async function rowByRow(kubeconfig: string, prefix: string, inFlight: number): Promise<number> {
  const clock = createSystemClock();
  const runner = createProcessRunner({ kill: sendSignal, environment: process.env });
  const kubernetes = createKubernetes({ kubeconfig, clock, process: runner, environment: {} });
  const store = createNekStore(kubernetes, clock);
  const session = await store.open(target, never);
  try {
    const document = await masterKeys();
    const rows: NekRow[] = [];
    for await (const page of session.scan({ pageSize: 1000 }, never))
      rows.push(...page.rows.filter(({ namespace }) => namespace.startsWith(prefix)));
    const total = rows.length;
    const begun = performance.now();
    const worker = async () => {
      for (let row = rows.pop(); row !== undefined; row = rows.pop())
        await rewrapOne(session, row, { document, kid: document.currentKid, now: Date.now() });
    };
    await Promise.all(Array.from({ length: inFlight }, worker));
    return (total * 1000) / (performance.now() - begun);
  } finally {
    session.close();
    store.close();
  }
}
