/** What a stream of server-sent events is for whoever looks: it opens, it stands, or it has broken and is tried again. */
export type Connection = 'connecting' | 'live' | 'broken';

/** As much of a browser's EventSource as is used of it. */
export interface Source {
  readonly readyState: number;
  onopen: (() => void) | null;
  onerror: (() => void) | null;
  addEventListener: (name: string, hear: (event: { data: string }) => void) => void;
  close: () => void;
}

/** What a stream tells to whoever follows it. */
export interface Told {
  state: (state: Connection) => void;
  event: (name: string, data: unknown) => void;
  /** The stream stands again after a time in which nothing was heard. */
  reopened: () => void;
  /** The server refused the stream or ended it with a problem: the session may be over. */
  refused: () => void;
}

/** Between the attempts to take a stream up again, in milliseconds; the last one for all that follow. */
const pauses = [500, 1_000, 2_000, 5_000, 10_000, 30_000];

const closed = 2; // EventSource.CLOSED: the server gave an answer that is no stream

/**
 * Holds a stream open from resume to pause: one that breaks, or that the server ends, is opened anew after a pause that
 * grows. An attempt is a new connection, never the browser's own, which gives up for good when the answer is no stream.
 */
export function keepOpen(connect: () => Source, names: string[], told: Told, wait = pauses) {
  let source: Source | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let tries = 0;
  let missed = false;

  const close = () => {
    clearTimeout(timer);
    timer = undefined;
    source?.close();
    source = undefined;
  };
  const again = () => {
    close();
    missed = true;
    told.state('broken');
    timer = setTimeout(open, wait[Math.min(tries++, wait.length - 1)]);
  };
  const open = () => {
    timer = undefined;
    const now = connect();
    source = now;
    let beats = 0;
    now.onopen = () => {
      told.state('live');
      if (missed) told.reopened();
      missed = false;
    };
    now.onerror = () => {
      const refused = now.readyState === closed;
      again();
      if (refused) told.refused();
    };
    now.addEventListener('beat', () => {
      if (++beats > 1) tries = 0; // it has stood for a while
    });
    for (const name of names) {
      now.addEventListener(name, ({ data }) => {
        if (source === now) told.event(name, JSON.parse(data));
      });
    }
    now.addEventListener('problem', () => {
      again();
      told.refused();
    });
  };
  return {
    resume: () => {
      if (!source && timer === undefined) open();
    },
    pause: () => {
      close();
      missed = true;
    },
    /** Connects anew at once, since what is asked for has changed. Nothing is missed by that. */
    change: () => {
      if (!source && timer === undefined) return;
      close();
      timer = setTimeout(open, 0);
    },
  };
}
