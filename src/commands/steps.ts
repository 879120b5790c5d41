import { StepLoader } from '../engine/step-loader.ts';
import type { SchemaNode, StepSchemaFile } from '../engine/step-schema.ts';
import { exitCodes } from '../exit-code.ts';
import { stepSchemas } from '../generated/step-schemas.js';
import { safeJson } from '../output/safe-text.ts';
import { table } from '../output/table.ts';
import { toYaml } from '../output/yaml-text.ts';
import { stepTypes } from '../steps/index.ts';
import { type Command, UsageError } from './command.ts';

function typeName(node: SchemaNode): string {
  if (node['x-secret'] === true) return 'secret';
  if (node.enum !== undefined) return node.enum.map(String).join(' | ');
  if (node.const !== undefined) return String(node.const);
  const alternatives = node.oneOf ?? node.anyOf;
  if (alternatives !== undefined) return alternatives.map(typeName).join(' or ');
  if (node.type === 'array') return `list of ${node.items === undefined ? 'anything' : typeName(node.items)}`;
  if (node.type === 'object')
    return node.properties === undefined && typeof node.additionalProperties === 'object'
      ? `map of ${typeName(node.additionalProperties)}`
      : 'map';
  return node['x-kind'] === 'duration' ? 'duration' : [node.type ?? 'anything'].flat().join(' | ');
}

function fields(node: SchemaNode, indent: string): string {
  return Object.entries(node.properties ?? {})
    .map(([name, field]) => {
      const facts = [
        typeName(field),
        ...(node.required?.includes(name) === true ? ['required'] : []),
        ...(field.default === undefined ? [] : [`default ${JSON.stringify(field.default)}`]),
      ];
      const inner =
        field.properties === undefined
          ? field.items?.properties === undefined
            ? ''
            : fields(field.items, `${indent}  `)
          : fields(field, `${indent}  `);
      return `${indent}${name}: ${facts.join(', ')}\n${field.description === undefined ? '' : `${indent}    ${field.description}\n`}${inner}`;
    })
    .join('');
}

function explain(type: string, effect: string, schema: StepSchemaFile): string {
  const examples = schema.examples
    .map(({ title, step }) => `  # ${title}\n${toYaml([step], '  ')}`)
    .join('\n');
  return `${type} (${effect === 'read' ? 'reads only' : 'changes something'}): ${schema.title}\n\n${schema.description}\n\nwith:\n${fields(schema.properties.with, '  ')}\noutputs:\n${fields(schema.properties.outputs, '  ') || '  none\n'}\nexamples:\n${examples}`;
}

export const steps: Command = {
  name: 'steps',
  summary: 'list step types, or explain one with its inputs, outputs and examples',
  arguments: [{ name: '[TYPE]', description: 'a step type, such as kubectl.rollout-restart' }],
  options: [
    { flags: '--format <format>', description: 'how to print', choices: ['text', 'json'], default: 'text' },
  ],
  async run([type], options, environment) {
    const loader = new StepLoader({ types: stepTypes, schemas: stepSchemas });
    const { names, steps: registry, schemas } = await loader.load(type === undefined ? loader.names : [type]);
    if (type === undefined) {
      const rows = names.map((name) => ({
        type: name,
        effect: registry.get(name)?.effect ?? '',
        title: schemas[name]?.schema.title ?? '',
      }));
      if (options.format === 'json') environment.streams.data(`${safeJson(rows)}\n`);
      else
        environment.streams.data(
          table([['TYPE', 'EFFECT', 'DOES'], ...rows.map((row) => [row.type, row.effect, row.title])]),
        );
      return exitCodes.done;
    }
    const step = registry.get(type);
    const schema = schemas[type]?.schema;
    if (step === undefined || schema === undefined) {
      const { suggest } = await import('../engine/suggest.ts');
      const near = suggest(type, names);
      throw new UsageError(
        `there is no step type '${type}'`,
        near === undefined ? `'runbook steps' lists them` : `did you mean '${near}'?`,
      );
    }
    environment.streams.data(
      options.format === 'json'
        ? `${safeJson({ type, effect: step.effect, ...schema })}\n`
        : explain(type, step.effect, schema),
    );
    return exitCodes.done;
  },
};
