import { exitCodes } from '../exit-code.ts';
import { safeJson } from '../output/safe-text.ts';
import { table } from '../output/table.ts';
import type { Command } from './command.ts';
import { loadInventory, servicesOption } from './inventory-file.ts';

export const services: Command = {
  name: 'services',
  summary: 'print the service inventory: every service with its namespace, workload, pods and release',
  arguments: [],
  options: [
    servicesOption,
    { flags: '--format <format>', description: 'how to print', choices: ['table', 'json'], default: 'table' },
  ],
  help: `What is printed is what the inventory says; a plan finds each service in the cluster by the labels of its pods.\nA service of the compute cluster, or an optional one, may be absent.\n`,
  async run(_args, options, environment) {
    const inventory = await loadInventory(options, environment);
    const all = [...inventory.services.values()].sort((a, b) => a.restartOrder - b.restartOrder);
    if (options.format === 'json') {
      environment.streams.data(
        `${safeJson({ version: 1, lockNamespace: inventory.lockNamespace, services: all })}\n`,
      );
      return exitCodes.done;
    }
    const rows = all.map((service) => [
      service.name,
      service.title,
      service.namespace,
      `${service.kind}/${service.resource}`,
      service.release ?? '',
      service.selector,
      [
        service.restartStrategy === 'RollingUpdate' ? '' : service.restartStrategy,
        service.cluster === 'compute' ? 'in compute clusters' : '',
        service.optional ? 'optional' : '',
      ]
        .filter((note) => note !== '')
        .join(', '),
    ]);
    environment.streams.data(
      table([['NAME', 'SERVICE', 'NAMESPACE', 'WORKLOAD', 'RELEASE', 'SELECTOR', 'NOTE'], ...rows]),
    );
    return exitCodes.done;
  },
};
