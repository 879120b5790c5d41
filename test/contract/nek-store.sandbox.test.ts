import { openSandbox } from '../../src/sandbox/open.ts';
import { targetOf } from '../sandbox/keys-rig.ts';
import { nekStoreContract } from './nek-store.ts';

nekStoreContract('sandbox', async () => {
  const sandbox = openSandbox({ seed: 31 });
  const { services, control } = sandbox;
  const column = { keyspace: 'api_keys_api', table: 'keys_of_the_contract', column: 'details' };
  control.addValues(column, []);
  return {
    store: services.nekStore,
    target: targetOf(sandbox),
    pods: ['cassandra-0', 'cassandra-1', 'cassandra-2'],
    replicationFactor: 3,
    setCurrentKid: async (namespace, kid) => control.setCurrentKid(namespace, kid),
    addGhost: async (key, status) => control.updateRow(key, { status }),
    jwes: {
      target: targetOf(sandbox, 'api_keys_api'),
      table: column.table,
      column: column.column,
      add: async (values) => control.addValues(column, values),
    },
  };
});
