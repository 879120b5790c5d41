import { essMetrics } from './consumers/metrics.ts';
import type { ContainerRuntime } from './kubelet/runtime.ts';
import type { Pod } from './objects.ts';
import { nameHash } from './random.ts';
import type { World } from './world.ts';

function sample(
  name: string,
  type: 'counter' | 'gauge',
  help: string,
  lines: readonly (readonly [string, number])[],
): string {
  const values = lines.map(([labels, value]) => `${name}${labels} ${value}`).join('\n');
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${values}\n`;
}

/** Prometheus text of a simulated server: counters that grow with its uptime at a steady rate of its own. */
export function metricsText(world: World, pod: Pod, container: ContainerRuntime): string {
  const started = container.run?.startedAt ?? world.timeline.now;
  const uptime = Math.max(0, (world.timeline.now - started) / 1000);
  const rate = 2 + (nameHash(pod.metadata.name).charCodeAt(0) % 9);
  const requests = Math.floor(uptime * rate);
  const errors = Math.floor(requests / 10_000);
  const consumer = world.consumers.get(pod.metadata.uid);
  return [
    sample('up', 'gauge', 'Whether the server is ready.', [['', container.ready ? 1 : 0]]),
    sample('process_start_time_seconds', 'gauge', 'Start time since the epoch.', [
      ['', Math.floor(started / 1000)],
    ]),
    sample('process_uptime_seconds', 'gauge', 'Uptime.', [['', uptime]]),
    sample('process_resident_memory_bytes', 'gauge', 'Resident memory.', [
      ['', 300_000_000 + rate * 1_000_000],
    ]),
    sample('http_requests_total', 'counter', 'Requests by status.', [
      ['{status="200"}', requests - errors],
      ['{status="500"}', errors],
    ]),
    consumer?.kind === 'ess' ? essMetrics(world, consumer) : '',
  ].join('');
}
