/** What every command needs before it can be told apart from the others; apart from `cli.ts`, which answers `--version` alone. */
export { createRedactor } from '../engine/redactor.ts';
export { secretEnvironment } from '../engine/secret-environment.ts';
export { createStreams } from '../output/streams.ts';
export { runCommandLine } from './command-line.ts';
