import type { SchemaNode } from '../step-schema.ts';
import { serviceSchema } from './inventory.ts';
import type { InputSpec } from './runbook.ts';

/** The type of an input as templates and expressions see it. */
export function inputSchema(spec: InputSpec): SchemaNode {
  switch (spec.type) {
    case 'integer':
    case 'number':
    case 'boolean':
      return { type: spec.type };
    case 'duration':
      return { type: 'string', 'x-kind': 'duration' };
    case 'enum':
      return { type: 'string', enum: spec.values ?? [] };
    case 'list':
      return { type: 'array', items: inputSchema({ type: spec.of ?? 'string', description: '' }) };
    case 'map':
      return {
        type: 'object',
        additionalProperties: inputSchema({ type: spec.of ?? 'string', description: '' }),
      };
    case 'service':
      return serviceSchema;
    case 'secret':
      return { type: 'string', 'x-secret': true };
    default:
      return { type: 'string' };
  }
}

export function inputsSchema(inputs: Readonly<Record<string, InputSpec>>): SchemaNode {
  return {
    type: 'object',
    additionalProperties: false,
    properties: Object.fromEntries(Object.entries(inputs).map(([name, spec]) => [name, inputSchema(spec)])),
  };
}

export const runSchema: SchemaNode = {
  type: 'object',
  additionalProperties: false,
  properties: { id: { type: 'string' }, startedAt: { type: 'string' }, user: { type: 'string' } },
};

export const runbookSchema: SchemaNode = {
  type: 'object',
  additionalProperties: false,
  properties: { name: { type: 'string' }, title: { type: 'string' } },
};

export const stateSchema: SchemaNode = { type: 'string', enum: ['applied', 'skipped', 'notRun', 'failed'] };
