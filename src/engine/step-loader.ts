import type { AnyStepType, StepRegistry } from './step-type.ts';

/** Every step type there is, by name, and its schema; neither is loaded yet. */
export interface StepCatalogue<Schema> {
  readonly types: Readonly<Record<string, () => Promise<AnyStepType>>>;
  readonly schemas: Readonly<Record<string, () => Promise<Schema>>>;
}

/** The step types that were asked for: all of them together take longer to load than a runbook to check. */
export class StepLoader<Schema> {
  readonly #catalogue: StepCatalogue<Schema>;
  readonly #steps = new Map<string, AnyStepType>();
  /** Asked for by names from a runbook, `constructor` among them. */
  readonly schemas: Record<string, Schema> = Object.create(null);

  constructor(catalogue: StepCatalogue<Schema>) {
    this.#catalogue = catalogue;
  }

  get steps(): StepRegistry {
    return this.#steps;
  }

  /** Of every step type, loaded or not. */
  get names(): readonly string[] {
    return Object.keys(this.#catalogue.types);
  }

  /** Names that do not exist are left out: who looks for one says so. */
  async load(names: Iterable<string>): Promise<this> {
    const { types, schemas } = this.#catalogue;
    await Promise.all(
      [...new Set(names)].map(async (name) => {
        if (this.#steps.has(name) || !Object.hasOwn(types, name) || !Object.hasOwn(schemas, name)) return;
        const [type, schema] = await Promise.all([types[name]?.(), schemas[name]?.()]);
        if (type === undefined || schema === undefined) return;
        this.#steps.set(name, type);
        this.schemas[name] = schema;
      }),
    );
    return this;
  }
}
