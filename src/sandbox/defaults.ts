import { type Fields, isFields } from './patch.ts';

function fields(value: unknown): Fields {
  return isFields(value) ? value : {};
}

function probe(value: unknown): unknown {
  if (!isFields(value)) return value;
  return { timeoutSeconds: 1, periodSeconds: 10, successThreshold: 1, failureThreshold: 3, ...value };
}

function container(value: unknown): Fields {
  const given = fields(value);
  const image = String(given.image ?? '');
  const latest = !/[:@]/.test(image.slice(image.lastIndexOf('/') + 1)) || image.endsWith(':latest');
  const probes = Object.fromEntries(
    ['readinessProbe', 'livenessProbe', 'startupProbe']
      .filter((name) => given[name] !== undefined)
      .map((name) => [name, probe(given[name])]),
  );
  const ports = Array.isArray(given.ports)
    ? {
        ports: given.ports.map((port: unknown) => ({
          ...fields(port),
          protocol: fields(port).protocol ?? 'TCP',
        })),
      }
    : {};
  return {
    resources: {},
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'File',
    imagePullPolicy: latest ? 'Always' : 'IfNotPresent',
    ...given,
    ...ports,
    ...probes,
  };
}

/** A pod's spec with what the API server fills in. */
function defaultPodSpec(value: unknown): Fields {
  const spec = fields(value);
  const list = (name: string) =>
    Array.isArray(spec[name]) ? { [name]: (spec[name] as unknown[]).map(container) } : {};
  return {
    restartPolicy: 'Always',
    terminationGracePeriodSeconds: 30,
    dnsPolicy: 'ClusterFirst',
    securityContext: {},
    schedulerName: 'default-scheduler',
    ...spec,
    ...list('containers'),
    ...list('initContainers'),
  };
}

/** Metadata without the empty maps that the API server leaves out. */
function withoutEmptyMaps(value: unknown): Fields {
  return Object.fromEntries(
    Object.entries(fields(value)).filter(
      ([, inner]) => !(isFields(inner) && Object.keys(inner).length === 0),
    ),
  );
}

function template(value: unknown): Fields {
  const given = fields(value);
  return { ...given, metadata: withoutEmptyMaps(given.metadata), spec: defaultPodSpec(given.spec) };
}

function deploymentStrategy(value: unknown): Fields {
  const given = fields(value);
  if (given.type === 'Recreate') return given;
  return {
    type: 'RollingUpdate',
    ...given,
    rollingUpdate: { maxUnavailable: '25%', maxSurge: '25%', ...fields(given.rollingUpdate) },
  };
}

function updateStrategy(value: unknown, rolling: Fields): Fields {
  const given = fields(value);
  if (given.type === 'OnDelete') return given;
  return {
    type: 'RollingUpdate',
    ...given,
    rollingUpdate: { ...rolling, ...fields(given.rollingUpdate) },
  };
}

const specs: Readonly<Record<string, (spec: Fields) => Fields>> = {
  Deployment: (spec) => ({
    replicas: 1,
    progressDeadlineSeconds: 600,
    revisionHistoryLimit: 10,
    ...spec,
    strategy: deploymentStrategy(spec.strategy),
    template: template(spec.template),
  }),
  ReplicaSet: (spec) => ({ replicas: 1, ...spec, template: template(spec.template) }),
  StatefulSet: (spec) => ({
    replicas: 1,
    podManagementPolicy: 'OrderedReady',
    revisionHistoryLimit: 10,
    serviceName: '',
    ...spec,
    updateStrategy: updateStrategy(spec.updateStrategy, { partition: 0 }),
    template: template(spec.template),
  }),
  DaemonSet: (spec) => ({
    revisionHistoryLimit: 10,
    ...spec,
    updateStrategy: updateStrategy(spec.updateStrategy, { maxUnavailable: 1, maxSurge: 0 }),
    template: template(spec.template),
  }),
  Pod: defaultPodSpec,
  Service: (spec) => ({ type: 'ClusterIP', sessionAffinity: 'None', ...spec }),
};

/** A manifest with the defaults of its kind; `stringData` of Secrets becomes `data`. */
export function withDefaults(given: Fields): Fields {
  const manifest: Fields = { ...given, metadata: withoutEmptyMaps(given.metadata) };
  const kind = String(manifest.kind);
  const complete = specs[kind];
  if (kind === 'Secret') {
    const { stringData, ...rest } = manifest;
    const encoded = Object.entries(fields(stringData)).map(([key, text]) => [
      key,
      Buffer.from(String(text)).toString('base64'),
    ]);
    const data = { ...fields(rest.data), ...Object.fromEntries(encoded) };
    return { type: 'Opaque', ...rest, ...(Object.keys(data).length === 0 ? {} : { data }) };
  }
  return complete === undefined ? manifest : { ...manifest, spec: complete(fields(manifest.spec)) };
}
