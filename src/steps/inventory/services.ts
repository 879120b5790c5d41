import { type ReadStepType, StepError } from '../../engine/step-type.ts';
import type { InventoryServicesOutputs, InventoryServicesWith } from '../../generated/types.ts';
import { ServiceResolutionError } from '../../services/service-directory.ts';

const workloads = ['deployments', 'statefulsets', 'daemonsets'];

export const inventoryServices: ReadStepType<InventoryServicesWith, InventoryServicesOutputs> = {
  type: 'inventory.services',
  effect: 'read',
  timeout: 60_000,
  describe: (input) => `services of ${input.namespace ?? 'every namespace'}`,
  resources: (input) => [{ path: `kubernetes/${input.namespace ?? '*'}/*`, mode: 'read' }],
  access: (input) =>
    workloads.map((resource) => ({
      system: 'kubernetes',
      verb: 'list',
      group: 'apps',
      resource,
      ...(input.namespace === undefined ? {} : { namespace: input.namespace }),
    })),
  async run(input, ctx) {
    const all = await ctx.services.directory.all().catch((error: unknown) => {
      if (error instanceof ServiceResolutionError)
        throw new StepError('service-not-found', error.message, { outcome: 'not-applied', hint: error.hint });
      throw error;
    });
    const wanted = all.filter(
      ({ entry }) =>
        (input.namespace === undefined || entry.namespace === input.namespace) &&
        input.except?.includes(entry.name) !== true,
    );
    const services = wanted.flatMap(({ present, entry }) => {
      if (!present || (input.kind !== undefined && entry.kind !== input.kind)) return [];
      const { name, title, namespace, kind, resource, selector, container, startupBudget, restartStrategy } =
        entry;
      return [
        {
          name,
          title,
          namespace,
          kind,
          resource,
          selector,
          container,
          startupBudget,
          restartStrategy,
          restartOrder: entry.restartOrder ?? 100,
          risk: entry.risk ?? 'medium',
          healthPort: entry.health?.port ?? 0,
          healthPath: entry.health?.path ?? '',
          metricsPort: entry.ports?.metrics ?? 0,
        },
      ];
    });
    if (services.length === 0 && !wanted.some(({ present }) => !present))
      throw new StepError(
        'no-service',
        `the inventory has no such service: ${input.namespace === undefined ? 'all are left out' : `none in namespace ${input.namespace}`}`,
        { outcome: 'not-applied', hint: `'runbook services' shows the namespaces` },
      );
    return {
      services,
      absent: wanted.flatMap((service) =>
        service.present ? [] : [{ name: service.entry.name, why: service.why }],
      ),
      count: services.length,
    };
  },
};
