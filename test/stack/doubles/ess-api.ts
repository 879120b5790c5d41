// ESS: keeps secrets encrypted under namespace keys, and those wrapped by the first master key of the document, which
// it looks at again and again, at a pace of its own per pod. `ess/settings.ts` names what the environment may set.
import { createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { startJobs } from './ess/jobs.ts';
import { type MasterKeys, readMasterKeys } from './ess/master-keys.ts';
import { metricsText } from './ess/metrics.ts';
import { createSecretsApi } from './ess/secrets.ts';
import { readSettings } from './ess/settings.ts';
import { createStore } from './ess/store.ts';
import { answers, connectCassandra } from './lib/cassandra.ts';
import { fieldsDigest } from './lib/jwk-set.ts';
import { messageOf, OpenBaoReader } from './lib/openbao.ts';
import { type Call, log, serve } from './lib/server.ts';

const document = ['services/all/kv', 'encryption/keys/stored_data'] as const;
const settings = readSettings(process.env);
const openbao = new OpenBaoReader('ess-api');

let rendered = (await openbao.await(...document)).keys;
let loaded: MasterKeys | undefined = load(rendered);

// A first load that fails keeps the service from starting; later ones leave it without keys until a good one comes.
function load(encoded: string | undefined): MasterKeys {
  log('INFO', 'reloading master encryption key');
  const keys = readMasterKeys(encoded);
  log('INFO', `Loaded masterKey. Current kid: ${keys.current.kid}`);
  const kids = keys.ordered.map(({ kid }) => kid).join(', ');
  log('INFO', `Loaded ${keys.ordered.length} allMasterKeys. Kids: [${kids}]`);
  return keys;
}

async function reload(): Promise<void> {
  const fields = await openbao.read(...document);
  if (fields === undefined || (fields.keys === rendered && loaded !== undefined)) return;
  rendered = fields.keys;
  log('INFO', 'Properties file changed, triggering refresh...');
  try {
    loaded = load(rendered);
    log('INFO', 'FileBasedPropertiesRefresher refreshed properties successfully. Updated keys: [kv.crypto]');
  } catch (error) {
    loaded = undefined;
    log('ERROR', `error during properties refresh - ${messageOf(error)}`);
  }
}

async function keepReloading(): Promise<void> {
  // Pods started together must not load together: up to half a period apart.
  const jitter = createHash('sha256')
    .update(process.env.HOSTNAME ?? '')
    .digest()
    .readUInt8(0);
  await pause((jitter / 256) * (settings.reloadEvery / 2));
  for (;;) {
    await pause(settings.reloadEvery);
    await reload().catch((error) => log('WARN', `the last rendered document stays: ${messageOf(error)}`));
  }
}

const client = await connectCassandra(
  'ess_api',
  await openbao.await('services/ess-api/kv', 'cassandra/creds'),
);
const { token: bearer = '' } = await openbao.await('services/ess-api/kv', 'tokens/probe');

const given = {
  store: createStore(client),
  settings,
  masterKeys: () => {
    if (loaded === undefined) throw new Error('the master keys could not be loaded');
    return loaded;
  },
};
const secrets = createSecretsApi({ ...given, allows: (token) => bearer !== '' && token === bearer });

void keepReloading();
startJobs(given);
serve({
  api: async (call: Call) =>
    call.segments.join('/') === 'loaded'
      ? { status: 200, body: { digest: loaded === undefined ? '' : fieldsDigest(rendered) } }
      : secrets(call),
  healthy: () => answers(client),
  metrics: () => metricsText(loaded),
});
