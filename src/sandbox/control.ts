import type { HelmClients } from './helm/service.ts';
import type { Machine } from './machine.ts';
import type { Denial, Trouble } from './world.ts';

/** What can be done to the simulated cluster from outside its API. Each is written down like any other change. */
export interface SandboxControl {
  /** From now on calls that fit are answered 403; access reviews say so, too. */
  deny(denial: Denial): void;
  /** Takes back all denials. */
  allow(): void;
  /** The next `times` (1) calls that fit fail: with a status, or without any answer; `applied` ones after taking effect. */
  trouble(
    trouble: Denial & { readonly status?: number; readonly applied?: boolean; readonly times?: number },
  ): void;
  /** The API server cannot be reached for so many virtual milliseconds. */
  outage(ms: number): void;
  /** Forgets past changes: watches have to list again (410). */
  compact(): void;
  /** Seals an OpenBao server. */
  seal(namespace: string, pod: string): void;
  /** Somebody deletes a stream of NATS, with its messages. */
  dropStream(name: string): void;
  /** JetStream's meta group has no leader for so many virtual milliseconds. */
  loseMetaLeader(ms: number): void;
  /** Kills the Helm clients that are at work: what they have not done yet is never done. */
  killHelm(): void;
  /** Ends a container with an exit code. */
  kill(container: {
    readonly namespace: string;
    readonly pod: string;
    readonly container: string;
    readonly code?: number;
  }): void;
}

export function sandboxControl(machine: Machine, helmClients: HelmClients): SandboxControl {
  return {
    deny: (denial) => void machine.perform({ do: 'deny', denial }),
    allow: () => void machine.perform({ do: 'allow' }),
    trouble: ({ applied = false, times = 1, ...rest }) => {
      const trouble: Trouble = { ...rest, applied, times };
      machine.perform({ do: 'trouble', trouble });
    },
    outage: (ms) => void machine.perform({ do: 'outage', until: machine.clock.now() + ms }),
    compact: () => void machine.perform({ do: 'compact' }),
    seal: (namespace, pod) => void machine.perform({ do: 'seal', namespace, pod }),
    dropStream: (name) => void machine.perform({ do: 'strike', strike: { what: 'drop-stream', name } }),
    loseMetaLeader: (ms) =>
      void machine.perform({ do: 'strike', strike: { what: 'lose-meta-leader', for: ms } }),
    killHelm: () => {
      for (const client of helmClients.values()) client.abort();
    },
    kill: ({ code = 137, ...rest }) => void machine.perform({ do: 'kill', ...rest, code }),
  };
}
