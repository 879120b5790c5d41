import { Secret } from '../../src/engine/secret.ts';
import type { RunContext } from '../../src/engine/step-type.ts';
import { FakeOpenBao } from './fake-openbao.ts';
import { MemoryFiles } from './memory-files.ts';
import { putPod } from './rollout-objects.ts';
import { type StepRig, stepRig } from './step-context.ts';

/** What every step that talks to OpenBao is given. */
export const baoInput = {
  namespace: 'vault-system',
  selector: 'app=bao',
  token: Secret.fromText('token', 'canary-token'),
};

export interface BaoRig extends StepRig {
  readonly bao: FakeOpenBao;
  readonly files: MemoryFiles;
  /** Texts that a step asked to hide. */
  readonly hidden: string[];
  /** Nobody leads, and everybody answers. */
  electing(): void;
}

/** A step's context with three OpenBao pods, of which bao-1 is active. */
export function baoRig(): BaoRig {
  const bao = new FakeOpenBao();
  const files = new MemoryFiles();
  const hidden: string[] = [];
  const made = stepRig({ openbao: bao, files });
  for (const index of [0, 1, 2]) {
    const [name, labels] = [`bao-${index}`, { app: 'bao' }];
    putPod(made.cluster, { name, namespace: 'vault-system', uid: `u${index}`, labels });
    bao.nodes.set(name, { active: index === 1 });
  }
  const ctx: RunContext = {
    ...made.ctx,
    protect: (secret) => void hidden.push(secret.revealText((text) => text)),
  };
  const electing = () => void bao.nodes.set('bao-1', { active: false });
  return { ...made, ctx, bao, files, hidden, electing };
}
