import type { ReadStepType } from '../../engine/step-type.ts';
import type { MekCensusApiKeysOutputs, MekCensusApiKeysWith } from '../../generated/types.ts';
import { countApiKeys, rowsUnder, unparsableRows } from './api-keys-rows.ts';
import {
  cassandraAccess,
  cassandraResource,
  credentialsPath,
  dataPath,
  groupProblems,
  keyspaceOf,
  namespaceOf,
  openbaoAccess,
} from './target.ts';

export const censusApiKeys: ReadStepType<MekCensusApiKeysWith, MekCensusApiKeysOutputs> = {
  type: 'mek.census-api-keys',
  effect: 'read',
  timeout: 10 * 60_000,
  describe: ({ apiKeys }) =>
    `count the rows of ${keyspaceOf(apiKeys, 'api-keys')} in ${namespaceOf(apiKeys)} by master key`,
  resources: ({ apiKeys }) => [cassandraResource(apiKeys, 'api-keys', 'read')],
  access: ({ openbao, apiKeys }) => [
    ...openbaoAccess(openbao, [
      { path: dataPath(credentialsPath(apiKeys, 'api-keys')), capabilities: ['read'] },
    ]),
    ...cassandraAccess(apiKeys, 'api-keys'),
  ],
  check: ({ openbao, apiKeys }) => [
    ...groupProblems('openbao', openbao),
    ...groupProblems('apiKeys', apiKeys),
  ],

  async run(input, ctx) {
    const counts = await countApiKeys(ctx, input);
    const kids = [...new Set(counts.flatMap(({ byKid }) => [...byKid.keys()]))];
    return {
      kids: kids
        .map((kid) => ({ kid, rows: rowsUnder(counts, kid) }))
        .sort((a, b) => b.rows - a.rows || (a.kid < b.kid ? -1 : 1)),
      rows: counts.reduce((sum, { rows }) => sum + rows, 0),
      unparsable: unparsableRows(counts),
      byTable: counts.map(({ table, rows, unparsable }) => ({ table, rows, unparsable })),
    };
  },
};
