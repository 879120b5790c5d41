import type { RunContext } from '../../src/engine/step-type.ts';

/** What a step keeps, in memory; nothing is hidden from a test. */
export function keepsakeRig(): Pick<RunContext, 'protect' | 'keep' | 'kept'> {
  const files = new Map<string, Buffer>();
  return {
    protect: () => undefined,
    keep: async (name, bytes) =>
      void files.set(name, Buffer.concat([files.get(name) ?? Buffer.alloc(0), bytes])),
    kept: async (name) => files.get(name),
  };
}
