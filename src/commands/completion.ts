import { exitCodes } from '../exit-code.ts';
import { type Command, UsageError } from './command.ts';
import { commands } from './index.ts';
import { listRunbooks } from './locate.ts';

const takesRunbook = new Set(['validate', 'plan', 'exec']);
const takesRun = new Set(['resume', 'rollback', 'approve', 'show', 'report', 'verify']);

/** What the shell functions below ask for at every TAB: `runbook completion --words COMMAND`. */
async function words(
  command: string,
  environment: Parameters<Command['run']>[2],
): Promise<readonly string[]> {
  const entry = commands.find(({ name }) => name === command);
  if (entry === undefined) return commands.map(({ name }) => name);
  const flags = (await entry.load()).options.flatMap(({ flags: text }) => /--[a-z-]+/.exec(text)?.[0] ?? []);
  if (takesRunbook.has(command)) return [...listRunbooks(environment).map(({ name }) => name), ...flags];
  if (takesRun.has(command)) {
    const { listRunIds } = await import('./run-store.ts');
    return [...listRunIds(environment), ...flags];
  }
  if (command === 'steps') return [...Object.keys((await import('../steps/index.ts')).stepTypes), ...flags];
  return flags;
}

const scripts: Readonly<Record<string, string>> = {
  bash: `# bash completion for runbook: source <(runbook completion bash)
_runbook() {
  local current="\${COMP_WORDS[COMP_CWORD]}" command="\${COMP_WORDS[1]}"
  [ "$COMP_CWORD" -eq 1 ] && command=
  COMPREPLY=($(compgen -W "$(runbook completion --words "$command" 2>/dev/null)" -- "$current"))
  [ "\${#COMPREPLY[@]}" -eq 0 ] && COMPREPLY=($(compgen -f -- "$current"))
}
complete -F _runbook runbook
`,
  zsh: `#compdef runbook
# zsh completion for runbook: source <(runbook completion zsh)
_runbook() {
  local command="\${words[2]}"
  (( CURRENT == 2 )) && command=
  compadd -- \${(f)"$(runbook completion --words "$command" 2>/dev/null)"}
  _files
}
compdef _runbook runbook
`,
  fish: `# fish completion for runbook: runbook completion fish | source
function __runbook_words
  set -l tokens (commandline -opc)
  if test (count $tokens) -le 1
    runbook completion --words ''
  else
    runbook completion --words $tokens[2]
  end
end
complete -c runbook -a '(__runbook_words 2>/dev/null)'
`,
};

export const completion: Command = {
  name: 'completion',
  summary: 'print shell completion',
  arguments: [{ name: '[SHELL]', description: 'bash, zsh or fish' }],
  options: [
    {
      flags: '--words <command>',
      description: 'the words that may follow a command (used by the completion itself)',
    },
  ],
  help: 'Example: source <(runbook completion bash)\n',
  async run([shell], options, environment) {
    if (typeof options.words === 'string') {
      environment.streams.data(`${(await words(options.words, environment)).join('\n')}\n`);
      return exitCodes.done;
    }
    const script = shell === undefined ? undefined : scripts[shell];
    if (script === undefined)
      throw new UsageError(
        shell === undefined ? 'name a shell' : `no completion for '${shell}'`,
        `one of: ${Object.keys(scripts).join(', ')}`,
      );
    environment.streams.data(script);
    return exitCodes.done;
  },
};
