import type { Access, Resource } from '../../engine/step-type.ts';
import type { CassandraGroup, OpenBaoGroup, Problem } from '../mek/target.ts';
import {
  cassandraAccess,
  cassandraResource,
  dataPath,
  documentPath,
  documentResources,
  groupProblems,
  openbaoAccess,
} from '../mek/target.ts';

/** The groups of `with` that every step on namespace keys has. */
export interface NekPlace {
  readonly openbao: OpenBaoGroup;
  readonly cassandra: CassandraGroup;
}

/** What a step on namespace keys reads, and what it changes with `write`; the master keys are only ever read. */
export function nekResources({ openbao, cassandra }: NekPlace, mode: Resource['mode']): readonly Resource[] {
  return [cassandraResource(cassandra, 'ess', mode), ...documentResources(openbao, 'read')];
}

export function nekAccess({ openbao, cassandra }: NekPlace): readonly Access[] {
  const needs = [{ path: dataPath(documentPath(openbao)), capabilities: ['read'] }];
  return [...openbaoAccess(openbao, needs), ...cassandraAccess(cassandra, 'ess')];
}

export function nekPlaceProblems({ openbao, cassandra }: NekPlace): readonly Problem[] {
  return [...groupProblems('openbao', openbao), ...groupProblems('cassandra', cassandra)];
}
