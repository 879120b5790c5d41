import { mkdirSync, writeFileSync } from 'node:fs';
import { bridge, statePath } from './paths.ts';
import { run } from './shell.ts';

/** Makes the bridge with its address and writes the pod network's configuration; touches no other interface. */
export async function ensureNetwork(): Promise<void> {
  if (!(await bridgeExists())) await run('ip', ['link', 'add', 'name', bridge.name, 'type', 'bridge']);
  await run('ip', ['address', 'replace', `${bridge.address}/${bridge.prefix}`, 'dev', bridge.name]);
  await run('ip', ['link', 'set', bridge.name, 'up']);
  writeNetworkConfiguration();
  // Pods have no way out of the bridge, so names outside the cluster need not resolve.
  writeFileSync(statePath('resolv.conf'), `nameserver ${bridge.address}\n`);
}

/** Does our bridge exist and carry its address? */
export async function networkIsUp(): Promise<boolean> {
  return (
    (await bridgeExists()) &&
    (await run('ip', ['-4', 'address', 'show', 'dev', bridge.name])).includes(`${bridge.address}/`)
  );
}

/** Removes the bridge, and with it whatever still hangs on it. */
export async function removeNetwork(): Promise<void> {
  if (await bridgeExists()) await run('ip', ['link', 'delete', bridge.name]);
}

async function bridgeExists(): Promise<boolean> {
  const links = JSON.parse(await run('ip', ['-json', 'link', 'show', 'type', 'bridge'])) as {
    ifname?: string;
  }[];
  return links.some(({ ifname }) => ifname === bridge.name);
}

function writeNetworkConfiguration(): void {
  mkdirSync(statePath('cni'), { recursive: true });
  const configuration = {
    cniVersion: '0.4.0',
    name: 'runbook-stack',
    plugins: [
      {
        type: 'bridge',
        bridge: bridge.name,
        // As a gateway the plugin would switch on IP forwarding for the whole machine; on one bridge nothing needs it.
        isGateway: false,
        ipMasq: false,
        hairpinMode: true,
        ipam: {
          type: 'host-local',
          dataDir: statePath('cni-addresses'),
          ranges: [[{ subnet: bridge.subnet, rangeStart: '10.88.1.0' }]],
        },
      },
    ],
  };
  writeFileSync(statePath('cni', '10-runbook-stack.conflist'), JSON.stringify(configuration, null, 2));
}
