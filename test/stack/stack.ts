import { connect } from './api.ts';
import { describeStatus, down, reset, up } from './cluster.ts';
import { adminKubeconfig } from './paths.ts';
import { seedKeys } from './seed-keys.ts';

const numbers = process.argv.slice(3).map(Number);

const commands: Record<string, () => Promise<string>> = {
  up: async () => {
    await up();
    return `KUBECONFIG=${adminKubeconfig()}`;
  },
  down: async () => {
    await down();
    return 'down';
  },
  status: describeStatus,
  reset: async () => {
    await reset();
    return 'reset';
  },
  seed: async () => {
    const [namespaces, neksPerNamespace, secrets] = numbers;
    if (namespaces === undefined || neksPerNamespace === undefined || secrets === undefined)
      throw new Error('usage: npm run stack -- seed NAMESPACES KEYS_PER_NAMESPACE SECRETS');
    await up();
    await seedKeys(connect(), { namespaces, neksPerNamespace, secrets });
    return `added ${namespaces * neksPerNamespace} keys in ${namespaces} namespaces, and ${secrets} secrets`;
  },
};

const command = commands[process.argv[2] ?? ''];
if (command === undefined) {
  process.stderr.write('usage: npm run stack -- up|down|status|reset|seed\n');
  process.exitCode = 2;
} else {
  try {
    process.stdout.write(`${await command()}\n`);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}
