import { type Kind, type KubernetesObject, type KubernetesReader, kinds } from './kubernetes.ts';

/** An entry of the inventory as the directory needs it; `services.yaml` holds more. */
export interface ServiceEntry {
  readonly name: string;
  readonly title: string;
  readonly namespace: string;
  readonly kind: 'Deployment' | 'StatefulSet' | 'DaemonSet';
  readonly otherKinds?: readonly ('Deployment' | 'StatefulSet' | 'DaemonSet')[];
  readonly resource: string;
  readonly resourceAliases?: readonly string[];
  /** Equality terms: 'a=b,c=d'. */
  readonly selector: string;
  readonly container: string;
  readonly startupBudget: string;
  readonly restartStrategy: string;
  readonly restartOrder?: number;
  readonly risk?: string;
  readonly cluster: 'control-plane' | 'compute';
  readonly optional?: boolean;
  readonly health?: { readonly port: number; readonly path: string };
  /** By purpose: 'metrics'. */
  readonly ports?: Readonly<Record<string, number>>;
}

/** The inventory as this cluster has it. */
export interface ServiceDirectory {
  /** Every entry, in restart order, with what was found. Throws `ServiceResolutionError`. */
  all(): Promise<readonly ResolvedService[]>;
}

/** What an entry turned out to be in this cluster. */
export type ResolvedService<Entry extends ServiceEntry = ServiceEntry> =
  | { readonly present: true; readonly entry: Entry }
  /** Allowed to be absent: optional, or of a compute cluster. */
  | { readonly present: false; readonly entry: Entry; readonly why: string };

export class ServiceResolutionError extends Error {
  readonly hint: string;

  constructor(message: string, hint: string) {
    super(message);
    this.name = 'ServiceResolutionError';
    this.hint = hint;
  }
}

const workloadKinds: Readonly<Record<ServiceEntry['kind'], Kind>> = {
  Deployment: kinds.deployments,
  StatefulSet: kinds.statefulSets,
  DaemonSet: kinds.daemonSets,
};

function templateLabels(workload: KubernetesObject): Readonly<Record<string, string>> {
  const spec = workload.spec as { template?: { metadata?: { labels?: Record<string, string> } } } | undefined;
  return spec?.template?.metadata?.labels ?? {};
}

function matches(selector: string, labels: Readonly<Record<string, string>>): boolean {
  return selector.split(',').every((term) => {
    const [key = '', value] = term.split('=').map((part) => part.trim());
    return labels[key] === value;
  });
}

/**
 * Finds the workload of an entry by its pods' labels and checks its name: guides and charts disagree about names, and some
 * kinds vary. Nothing found is an error unless the service may be absent; two, or an unknown name, are errors always.
 */
export async function resolveService<Entry extends ServiceEntry>(
  entry: Entry,
  kubernetes: Pick<KubernetesReader, 'list'>,
): Promise<ResolvedService<Entry>> {
  const found: {
    readonly kind: ServiceEntry['kind'];
    readonly name: string;
    readonly strategy: string | undefined;
  }[] = [];
  for (const kind of new Set([entry.kind, ...(entry.otherKinds ?? [])])) {
    for (const workload of await kubernetes.list(workloadKinds[kind], { namespace: entry.namespace })) {
      if (!matches(entry.selector, templateLabels(workload))) continue;
      const strategy =
        (workload.spec as { updateStrategy?: { type?: string }; strategy?: { type?: string } } | undefined) ??
        {};
      found.push({
        kind,
        name: workload.metadata.name,
        strategy: strategy.updateStrategy?.type ?? strategy.strategy?.type,
      });
    }
  }
  const [only, second] = found;
  if (only === undefined) return absent(entry);
  if (second !== undefined)
    throw new ServiceResolutionError(
      `the selector '${entry.selector}' of service '${entry.name}' matches ${found.length} workloads in namespace ${entry.namespace}: ${found.map(({ kind, name }) => `${kind} ${name}`).join(', ')}`,
      'make the selector in services.yaml precise enough to match one',
    );
  const names = [entry.resource, ...(entry.resourceAliases ?? [])];
  if (!names.includes(only.name))
    throw new ServiceResolutionError(
      `service '${entry.name}' is ${only.kind} '${only.name}' in namespace ${entry.namespace} by its labels, but the inventory knows it as ${names.join(', ')}`,
      `if it is the right one, add '${only.name}' to resourceAliases in services.yaml (--services takes a file of your own)`,
    );
  return {
    present: true,
    entry: {
      ...entry,
      kind: only.kind,
      resource: only.name,
      ...(only.strategy === undefined ? {} : { restartStrategy: only.strategy }),
    },
  };
}

function absent<Entry extends ServiceEntry>(entry: Entry): ResolvedService<Entry> {
  if (entry.optional === true || entry.cluster === 'compute')
    return {
      present: false,
      entry,
      why:
        entry.cluster === 'compute'
          ? 'not in this cluster: it lives in each compute cluster'
          : 'not in this cluster: optional',
    };
  throw new ServiceResolutionError(
    `service '${entry.name}' was not found: no ${[entry.kind, ...(entry.otherKinds ?? [])].join(' or ')} with pods '${entry.selector}' in namespace ${entry.namespace}`,
    `is this the right cluster? 'runbook services' shows what is expected where; --services takes an inventory of your own`,
  );
}

/** Looks every entry up when it is asked, never before. */
export function createServiceDirectory(
  entries: readonly ServiceEntry[],
  kubernetes: Pick<KubernetesReader, 'list'>,
): ServiceDirectory {
  const ordered = [...entries].sort(
    (a, b) => (a.restartOrder ?? 100) - (b.restartOrder ?? 100) || (a.name < b.name ? -1 : 1),
  );
  return { all: () => Promise.all(ordered.map((entry) => resolveService(entry, kubernetes))) };
}
