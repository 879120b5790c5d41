import { describeStatus, down, reset, up } from './cluster.ts';
import { adminKubeconfig } from './paths.ts';

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
};

const command = commands[process.argv[2] ?? ''];
if (command === undefined) {
  process.stderr.write('usage: npm run stack -- up|down|status|reset\n');
  process.exitCode = 2;
} else {
  try {
    process.stdout.write(`${await command()}\n`);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}
