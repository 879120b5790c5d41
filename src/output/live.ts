import type { Plan } from '../engine/plan/plan.ts';
import { type LiveItem, type LiveState, LiveTree } from './live-tree.ts';
import type { Renderer, Streams, TerminalStream } from './renderer.ts';

type Listr2 = typeof import('listr2');
type Task = InstanceType<Listr2['Listr']>['tasks'][number];

const REFRESH_MS = 500;

/** Why a drawing stops: its mark says so. */
type Ending = 'good' | 'bad' | 'paused';

function end(how: Ending, task: { skip(): void }): void {
  if (how === 'bad') throw new Error('failed');
  if (how === 'paused') task.skip();
}

/** One stretch of drawing, between two questions to the human: listr2 runs nothing, its one task waits for `stop`. */
interface Drawing {
  refresh(): void;
  stop(how: Ending): Promise<void>;
}

function startDrawing(listr2: Listr2, terminal: TerminalStream, tree: LiveTree, title: string): Drawing {
  const { DefaultRenderer, Listr, ListrLogger, ListrTaskState, ProcessOutput } = listr2;
  const states: Readonly<Record<LiveState, (typeof ListrTaskState)[keyof typeof ListrTaskState]>> = {
    waiting: ListrTaskState.WAITING,
    running: ListrTaskState.STARTED,
    attention: ListrTaskState.PAUSED,
    done: ListrTaskState.COMPLETED,
    failed: ListrTaskState.FAILED,
    skipped: ListrTaskState.SKIPPED,
  };
  let release: (how: Ending) => void = () => undefined;
  const released = new Promise<Ending>((resolve) => {
    release = resolve;
  });
  const stream = terminal as unknown as NodeJS.WriteStream;
  const listr = new Listr([{ title, task: async (_, task) => end(await released, task) }], {
    registerSignalListeners: false,
    exitOnError: false,
    collectErrors: false,
    renderer: DefaultRenderer,
    rendererOptions: {
      collapseSubtasks: false,
      collapseSkips: false,
      showSkipMessage: false,
      collapseErrors: false,
      showErrorMessage: false,
      formatOutput: 'truncate',
      logger: new ListrLogger({
        useIcons: true,
        toStderr: [],
        processOutput: new ProcessOutput(stream, stream),
      }),
    },
  });
  const root = listr.tasks[0];
  const drawn = new Map<string, Task>();
  const lastEvent = { at: performance.now(), seen: 0 };

  function taskOf(item: LiveItem, parent: Task): Task {
    const known = drawn.get(item.id);
    if (known !== undefined) return known;
    const created = new Listr(
      [{ title: item.title, task: () => undefined }],
      { registerSignalListeners: false },
      parent,
    ).tasks[0] as Task;
    // listr2 decides this when it runs a task; these are never run.
    void created.check(undefined);
    drawn.set(item.id, created);
    return created;
  }

  function refresh(): void {
    if (root === undefined) return;
    if (lastEvent.seen !== tree.now) Object.assign(lastEvent, { at: performance.now(), seen: tree.now });
    const visible = tree.visible(Math.max(5, (terminal.rows ?? 24) - 4));
    const shown = new Set(visible.map(({ id }) => id));
    const children = new Map<Task, Task[]>([[root, []]]);
    for (const item of visible) {
      const parent =
        item.parent !== undefined && shown.has(item.parent) ? (drawn.get(item.parent) ?? root) : root;
      const task = taskOf(item, parent);
      const note = item.note === '' ? '' : `\n${item.note}`;
      task.title = `${tree.title(item, performance.now() - lastEvent.at)}${note}`;
      task.state = states[item.state];
      children.set(task, children.get(task) ?? []);
      children.get(parent)?.push(task);
    }
    for (const [task, subtasks] of children) task.subtasks = subtasks;
    const { done, total } = tree.counts();
    root.title = `${title} (${done} of ${total})${tree.banner === '' ? '' : `: ${tree.banner}`}`;
    listr.events.emit(listr2.ListrEventType.SHOULD_REFRESH_RENDER, undefined as never);
  }

  const running = listr.run();
  refresh();
  const timer = setInterval(refresh, REFRESH_MS);
  timer.unref();
  return {
    refresh,
    async stop(how) {
      clearInterval(timer);
      refresh();
      release(how);
      await running;
    },
  };
}

/** The terminal view: nested steps with elapsed time, what is awaited and the last log line. It only draws. */
export function createLiveRenderer(plan: Plan, streams: Streams): Renderer {
  const tree = new LiveTree(plan);
  const { terminal } = streams;
  if (terminal === undefined) throw new Error('the live view needs a terminal');
  let drawing: Promise<Drawing> | undefined;
  const start = () =>
    import('listr2').then((listr2) => startDrawing(listr2, terminal, tree, plan.runbook.title));
  const stop = async (how: Ending) => {
    const current = drawing;
    drawing = undefined;
    await (await current)?.stop(how);
  };
  return {
    replay(events) {
      for (const event of events) tree.apply(event);
    },
    handle(event) {
      tree.apply(event);
      drawing ??= start();
    },
    async pause() {
      await stop('paused');
    },
    resume() {
      drawing = start();
    },
    end: () => stop(tree.exitCode === undefined ? 'paused' : tree.exitCode === 0 ? 'good' : 'bad'),
  };
}
