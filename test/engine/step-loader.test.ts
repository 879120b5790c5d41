import { describe, expect, test } from 'vitest';
import { StepLoader } from '../../src/engine/step-loader.ts';
import { note } from '../../src/steps/flow/note.ts';

function counted() {
  const loads: string[] = [];
  const load = (name: string) => ({
    types: async () => {
      loads.push(name);
      return { ...note, type: name };
    },
    schemas: async () => `schema of ${name}`,
  });
  const [one, two] = [load('one'), load('two')];
  const loader = new StepLoader({
    types: { one: one.types, two: two.types },
    schemas: { one: one.schemas, two: two.schemas },
  });
  return { loader, loads };
}

describe('step types', () => {
  test('are named without being loaded', () => {
    const { loader, loads } = counted();
    expect(loader.names).toEqual(['one', 'two']);
    expect(loads).toEqual([]);
  });

  test('are loaded once, with their schemas, when they are asked for', async () => {
    const { loader, loads } = counted();
    await loader.load(['two', 'two']);
    await loader.load(['two']);
    expect(loads).toEqual(['two']);
    expect([...loader.steps.keys()]).toEqual(['two']);
    expect(loader.schemas.two).toBe('schema of two');
    expect(loader.schemas.one).toBeUndefined();
  });

  test('that do not exist are left out, whatever they are called', async () => {
    const { loader } = counted();
    await loader.load(['three', 'constructor', '__proto__', 'toString']);
    expect(loader.steps.size).toBe(0);
    expect(loader.schemas.constructor).toBeUndefined();
    expect(loader.schemas.toString).toBeUndefined();
  });
});
