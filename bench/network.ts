/** TCP and UDP in all sizes, beside C, lua-luv, lua-cqueues and Node: who serves how much. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { Background, median } from './measure.ts';
import { compile, cpuSeconds, runClient } from './net/programs.ts';
import { type Goal, goal, type Options, ratio, type Section, table } from './report.ts';

const folder = join(import.meta.dirname, 'net');
const C = 'C, epoll';

/** One load: a client program, and servers that it can be put on. */
interface Load {
  name: string;
  unit: string;
  servers: Record<string, string[]>;
  client: string;
  /** Between the port and the seconds; `connections` and the like. */
  mode: string[];
  args: number[];
  /** perilune ÷ C: what is asked for */
  least?: number;
}

/** Programs in Lua for which there is an interpreter with the library. */
function withLibrary(library: string, name: string, file: string): Record<string, string[]> {
  const has = (lua: string): boolean => spawnSync(lua, ['-e', `require '${library}'`]).status === 0;
  const lua = ['luajit', 'lua5.1'].find(has);
  return lua === undefined ? {} : { [`${name}, ${lua}`]: [lua, join(folder, file)] };
}

/**
 * Seconds after which V8 compiles little of a server that gets 30,000 messages a second (CPU of its threads), in so
 * many runs of the client: what is compiled while connections only send is compiled anew when the first has ended.
 */
const WARM = 2;
const WARM_RUNS = 4;

/** Where the kernel puts client and server decides much of a run with one connection: one lucky one of three is too few. */
const LEAST_RUNS = 5;

/** How much a server reads at a time: 64 KiB, as libuv does, unless messages are small. */
const room = (bytes: number): string => (bytes > 1024 ? '65536' : '1024');

function loads(options: Options): Load[] {
  const node = (kind: string): Record<string, string[]> => ({
    'Node, net': [process.execPath, join(folder, 'node_server.cjs'), kind],
  });
  const echo = (bytes: number): Record<string, string[]> => ({
    perilune: [options.perilune, join(folder, 'echo.lua'), '--', room(bytes)],
    [C]: [compile('echo_server'), '0', room(bytes)],
    ...withLibrary('luv', 'lua-luv', 'luv_echo.lua'),
    ...withLibrary('cqueues', 'lua-cqueues', 'cqueues_echo.lua'),
    ...node('echo'),
  });
  const client = compile('echo_client');
  const pings = [1, 50, 1000].flatMap((connections) =>
    [64, 16_384].map((bytes) => ({
      name: `ping-pong, ${connections} × ${bytes === 64 ? '64 B' : '16 KiB'}`,
      unit: 'messages/s',
      servers: echo(bytes),
      client,
      mode: ['ping'],
      args: [connections, bytes],
      ...(connections === 50 && bytes === 64 ? { least: 0.7 } : {}),
    })),
  );
  const udp = (window: number): Load => ({
    name: `UDP echo of 64 B, ${window} under way`,
    unit: 'datagrams/s',
    servers: {
      perilune: [options.perilune, join(folder, 'udp_echo.lua')],
      [C]: [compile('udp_server')],
      ...withLibrary('luv', 'lua-luv', 'luv_udp.lua'),
      'Node, dgram': [process.execPath, join(folder, 'node_server.cjs'), 'udp'],
    },
    client: compile('udp_client'),
    mode: [],
    args: [window, 64],
  });
  return [
    ...pings,
    {
      name: 'accept, echo 64 B, close',
      unit: 'connections/s',
      servers: echo(64),
      client,
      mode: ['churn'],
      args: [32, 64],
    },
    {
      name: 'bulk, 4 connections, read and dropped',
      unit: 'MB/s',
      servers: {
        perilune: [options.perilune, join(folder, 'sink.lua')],
        [C]: [compile('sink_server')],
        ...withLibrary('luv', 'lua-luv', 'luv_sink.lua'),
        ...node('sink'),
      },
      client: compile('bulk_client'),
      mode: [],
      args: [4],
    },
    udp(1),
    udp(32),
  ];
}

interface Measured {
  /** per second */
  rates: number[];
  /** CPU of the server, µs for each that it served */
  costs: number[];
}

export async function network(
  options: Options,
  progress: (line: string) => void,
): Promise<Section> {
  const sections: string[] = [];
  const goals: Goal[] = [];
  const runs = options.quick ? options.runs : Math.max(options.runs, LEAST_RUNS);
  for (const load of loads(options)) {
    const names = Object.keys(load.servers);
    const measured = new Map<string, Measured>(names.map((n) => [n, { rates: [], costs: [] }]));
    for (let i = 0; i < runs; i++) {
      progress(`${load.name}, round ${i + 1}`);
      for (const name of i % 2 === 0 ? names : names.toReversed()) {
        const { rates, costs } = measured.get(name)!;
        const server = new Background(load.servers[name]!);
        const args = [...load.mode, await server.line(), ...load.args];
        const warm = options.quick ? 0.1 : WARM / WARM_RUNS;
        for (let k = 0; k < WARM_RUNS; k++) await runClient(load.client, [...args, warm]);
        const before = cpuSeconds(server.program());
        const report = await runClient(load.client, [...args, options.quick ? 0.5 : 1.5]);
        const [rate = 0, count = 1] = report.split(' ').map(Number);
        costs.push(((cpuSeconds(server.program()) - before) / count) * 1e6);
        rates.push(rate);
        await server.stop();
      }
    }
    const best = (name: string): number => Math.max(...measured.get(name)!.rates);
    sections.push(
      table(
        [load.name, load.unit, '÷ C', 'CPU of the server, µs each', '÷ C'],
        names.map((name) => {
          const { rates, costs } = measured.get(name)!;
          const cost = Math.min(...costs);
          const limit = Math.min(...measured.get(C)!.costs);
          return [
            name,
            `${best(name).toFixed(0)} (${median(rates).toFixed(0)})`,
            ratio(best(name) / best(C)),
            cost.toFixed(2),
            ratio(cost / limit),
          ];
        }),
      ),
    );
    if (load.least !== undefined) {
      const share = best('perilune') / best(C);
      goals.push(goal(`${load.name}: ÷ C server’s`, '≥', load.least, share, ratio));
    }
    const others = names.filter((name) => name !== C && name !== 'perilune');
    if (others.length > 0) {
      const first = others.reduce((a, b) => (best(a) >= best(b) ? a : b));
      const share = best('perilune') / best(first);
      goals.push(goal(`${load.name}: ÷ best other (${first})`, '≥', 1, share, ratio));
    }
  }
  return {
    title: 'TCP and UDP',
    text: [
      'One client program in C for all servers of a load, on loopback; best (median) of the runs. The client',
      'and the server share the machine’s cores, so the CPU time that the server took is the steadier figure. Each server',
      'has had four short runs before. The client of the bulk row sends with Reno’s congestion control, and C, lua-luv and',
      'perilune read all of it into one buffer (docs/decisions/0040).\n',
      ...sections,
    ].join('\n'),
    goals,
  };
}
