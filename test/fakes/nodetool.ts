import type { ExecRequest, ExecResult } from '../../src/services/kubernetes.ts';
import { putPod } from './rollout-objects.ts';
import { stepRig } from './step-context.ts';
import { failure } from './steps-kubernetes.ts';

export const hosts = [
  'dc2a9326-8b75-46b6-a3a4-9ebb9e29e452',
  'cfc2a3b4-78d5-4257-9cf4-7ff98676fa48',
  '49933a13-e061-464c-b7ca-963f8f1aee48',
] as const;
export const addresses = ['10.88.1.1', '10.88.1.20', '10.88.1.21'] as const;
const schema = '38b60d78-da2b-3ee7-87a8-99812cebb257';

/** What Cassandra 5.0.5 prints; `states` by node, 'UN' unless told. */
export function statusText(states: Readonly<Record<number, string>> = {}): string {
  const line = (at: 0 | 1 | 2) =>
    `${states[at] ?? 'UN'}  ${addresses[at].padEnd(10)}  134.31 KiB  8       100.0%            ${hosts[at]}  rack1`;
  return `Datacenter: ncp
===============
Status=Up/Down
|/ State=Normal/Leaving/Joining/Moving
--  Address     Load        Tokens  Owns (effective)  Host ID                               Rack 
${line(1)}
${line(0)}
${line(2)}

`;
}

export function clusterText(given: { readonly versions?: string; readonly copies?: number } = {}): string {
  const { versions = `\t\t${schema}: [${addresses.join(', ')}]\n`, copies = 3 } = given;
  return `Cluster Information:
	Name: cassandra
	Snitch: org.apache.cassandra.locator.GossipingPropertyFileSnitch
	DynamicEndPointSnitch: enabled
	Partitioner: org.apache.cassandra.dht.Murmur3Partitioner
	Schema versions:
${versions}
Stats for all nodes:
	Live: 3
	Joining: 0
	Moving: 0
	Leaving: 0
	Unreachable: 0

Data Centers: 
	ncp #Nodes: 3 #Down: 0

Database versions:
	5.0.5: [10.88.1.1:7000, 10.88.1.20:7000, 10.88.1.21:7000]

Keyspaces:
	system_traces -> Replication class: SimpleStrategy {replication_factor=2}
	system_distributed -> Replication class: SimpleStrategy {replication_factor=3}
	system_auth -> Replication class: NetworkTopologyStrategy {ncp=${copies}}
	ess_api -> Replication class: NetworkTopologyStrategy {ncp=${copies}}
	system_schema -> Replication class: LocalStrategy {}
	system -> Replication class: LocalStrategy {}

`;
}

export const oneUnreachable = `\t\t${schema}: [10.88.1.1, 10.88.1.20]\n\n\t\tUNREACHABLE: [10.88.1.21]\n`;
export const twoSchemas = `\t\t${schema}: [10.88.1.1, 10.88.1.20]\n\n\t\t0aa60d78-da2b-3ee7-87a8-99812cebb257: [10.88.1.21]\n`;

export type Answer = ExecResult | string | Error;

/** Three pods whose nodetool answers as a test says, by pod and command; unless it says, all is well. */
export function nodetoolRig() {
  const made = stepRig();
  const said = new Map<string, Answer>();
  const ran: string[] = [];
  for (const at of [0, 1, 2] as const)
    putPod(made.cluster, {
      name: `cassandra-${at}`,
      namespace: 'cassandra-system',
      uid: `u${at}`,
      labels: { app: 'cassandra' },
      status: { podIP: addresses[at] },
      containers: ['cassandra'],
    });
  const usual: Readonly<Record<string, string>> = {
    status: statusText(),
    describecluster: clusterText(),
    listsnapshots: 'Snapshot Details: \nThere are no snapshots\n',
  };
  made.cluster.hooks.exec = ({ pod, command }: ExecRequest): ExecResult => {
    const [, word = ''] = command;
    ran.push(`${pod} ${command.slice(1).join(' ')}`);
    const answer = said.get(`${pod} ${word}`) ?? said.get(word) ?? usual[word] ?? '';
    if (answer instanceof Error) throw answer;
    return typeof answer === 'string' ? { exitCode: 0, stdout: answer, stderr: '' } : answer;
  };
  return { ...made, said, ran };
}

export const silent = failure(500, 'InternalError', 'container not found ("cassandra")');
